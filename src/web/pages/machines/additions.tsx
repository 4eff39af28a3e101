import type { AddedHost, AdditionView } from "#model/api-additions.ts";
import type { MachineView } from "#model/api-machines.ts";
import { apiPath, call } from "../../api/client.ts";
import { Age } from "../../parts/age.tsx";
import { CopyCli } from "../../parts/cli.tsx";
import { count } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { machinePath } from "../../state/location.ts";
import { useLoad } from "../../state/use.ts";

/** While somebody looks on. */
const everyMs = 1_000;

const states = {
  waiting: ["off", "waits its turn"],
  "under-way": ["busy", "under way"],
  joined: ["good", "joined"],
  already: ["good", "was one already"],
  failed: ["bad", "failed"],
} as const;

/** What the command does at each host, as it tells: wherever it was called, and whoever looks on. */
export function Additions({ machines }: { readonly machines: readonly MachineView[] }) {
  const path = apiPath(["machine-additions"]);
  const { value, error } = useLoad(path, (signal) => call<{ additions: AdditionView[] }>("GET", path, { signal }), { everyMs });
  return (
    <>
      <ErrorNotice error={error} />
      {value?.additions.length === 0 && (
        <Section title="What it meets">
          <Nothing>No command that adds machines was heard of since the server’s start.</Nothing>
        </Section>
      )}
      {value?.additions.map((addition) => (
        <Addition key={addition.id} addition={addition} machines={machines} />
      ))}
    </>
  );
}

function Addition({ addition, machines }: { readonly addition: AdditionView; readonly machines: readonly MachineView[] }) {
  const { hosts, by, startedAtMs, isOver, isSilent } = addition;
  const done = hosts.filter(({ state }) => state === "joined" || state === "already").length;
  const failed = hosts.filter(({ state }) => state === "failed");
  const left = hosts.length - done - failed.length;
  const ended = isOver && left > 0 ? ", interrupted" : isSilent ? ", not heard of any more" : "";
  return (
    <Section
      title={`${done} of ${count(hosts.length, "host")} done${failed.length === 0 ? "" : `, ${failed.length} failed`}${ended}`}
      note={`by ${by}`}
      tools={
        <span class="muted">
          <Age atMs={startedAtMs} /> ago
        </span>
      }
    >
      <progress max={hosts.length} value={done + failed.length} aria-label="Hosts that are done" />
      <ul class="lines" aria-label="Hosts">
        {hosts.map((host) => (
          <Host key={host.host} host={host} isOver={isOver || isSilent} machines={machines} />
        ))}
      </ul>
      {failed.length > 0 && (isOver || isSilent) && (
        <>
          <p class="muted">Mend what is named, then have those that failed done again, as it was said then:</p>
          <CopyCli command="drover machine add --retry" isShown />
        </>
      )}
    </Section>
  );
}

interface HostProps {
  readonly host: AddedHost;
  /** Nothing goes on any more. */
  readonly isOver: boolean;
  readonly machines: readonly MachineView[];
}

function Host({ host: { host, machine, state, stage, notes, failure }, isOver, machines }: HostProps) {
  const isStuck = isOver && (state === "waiting" || state === "under-way");
  const [tone, word] = isStuck ? (["warn", "not done"] as const) : states[state];
  const isMachine = machine !== null && machines.some(({ id, linked }) => id === machine && linked);
  return (
    <li>
      <State tone={tone} word={word} />
      <span class="mono">{visibleText(host)}</span>
      {isMachine && (state === "joined" || state === "already") && <Link to={machinePath(machine)}>{machine}</Link>}
      {stage !== null && <span class="muted">{visibleText(stage)}</span>}
      {notes.map((note) => (
        <span key={note} class="muted">
          {visibleText(note)}
        </span>
      ))}
      {failure !== null && <Failure failure={failure} />}
    </li>
  );
}

function Failure({ failure: { code, message, hint, faults } }: { readonly failure: NonNullable<AddedHost["failure"]> }) {
  if (faults.length === 0) {
    return (
      <>
        <span>{visibleText(message)}</span>
        <code>{code}</code>
        <span class="muted">{visibleText(hint)}</span>
      </>
    );
  }
  return (
    <ul class="faults" aria-label="What is in the way">
      {faults.map(({ check, what, remedy }) => (
        <li key={check + what}>
          <code>{check}</code>
          <span>
            it {visibleText(what)}. <span class="muted">{visibleText(remedy)}</span>
          </span>
        </li>
      ))}
    </ul>
  );
}
