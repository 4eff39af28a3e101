import { useEffect, useRef, useState } from "preact/hooks";
import { shortInstanceId } from "#model/names.ts";
import { ApiError } from "../../api/client.ts";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { parameter, setParameters } from "../../state/location.ts";
import type { TabProps } from "./app-page.tsx";

type Phase = "closed" | "opening" | "open";

/** A shell in a running instance. */
export function TerminalTab({ status }: TabProps) {
  const { space, name, instances } = status;
  const running = instances.filter(({ state }) => state === "running").map(({ id }) => shortInstanceId(id));
  const wanted = parameter("instance");
  const instance = running.includes(wanted) ? wanted : (running[0] ?? "");
  const screen = useRef<HTMLDivElement>(null);
  const session = useRef<AbortController | null>(null);
  const [phase, setPhase] = useState<Phase>("closed");
  const [ending, setEnding] = useState("");
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => () => session.current?.abort(), []);

  const open = async () => {
    if (screen.current === null) return;
    const gone = new AbortController();
    session.current = gone;
    setPhase("opening");
    setError(null);
    setEnding("");
    try {
      // Loaded by the first who opens one: it is as large as all the rest.
      const { runTerminal } = await import("./terminal.ts");
      setEnding(await runTerminal({ element: screen.current, space, app: name, instance, onOpen: () => setPhase("open") }, gone.signal));
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setPhase("closed");
    }
  };

  return (
    <Section
      title="Terminal"
      note={phase === "open" ? `a shell in ${instance}` : ending}
      command={`drover exec ${space}/${name} --instance ${instance}`}
      tools={
        <>
          <select
            aria-label="Instance"
            value={instance}
            disabled={phase !== "closed"}
            onChange={(event) => setParameters({ instance: event.currentTarget.value })}
          >
            {running.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
          {phase === "closed" ? (
            <button
              type="button"
              class="primary"
              disabled={instance === ""}
              title={instance === "" ? "No instance runs." : ""}
              onClick={() => void open()}
            >
              Open
            </button>
          ) : (
            <button type="button" onClick={() => session.current?.abort()}>
              Close
            </button>
          )}
        </>
      }
    >
      <ErrorNotice error={error} />
      {phase === "closed" && ending === "" && (
        <Nothing>A shell opens in the surroundings of the instance, as its user. That it was opened is an event.</Nothing>
      )}
      <div ref={screen} class={phase === "closed" && ending === "" ? "screen closed" : "screen"} />
    </Section>
  );
}
