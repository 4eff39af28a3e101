import { useRef, useState } from "preact/hooks";
import { shortInstanceId } from "#model/names.ts";
import { type ApiError, apiPath } from "../../api/client.ts";
import { follow, readJsonLines } from "../../api/streams.ts";
import { ChoiceFilter } from "../../parts/filters.tsx";
import { quote } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { collectFrames } from "../../state/frames.ts";
import { parameter, setParameters } from "../../state/location.ts";
import { useWhile } from "../../state/use.ts";
import type { TabProps } from "./app-page.tsx";
import { type LogLine, LogLines } from "./log-lines.tsx";

/** Lines at the beginning, and lines that the page keeps; older ones are had by the command. */
const firstLines = 1_000;
const keptLines = 20_000;
/** As many as the API gives at once: what comes during a break and is more is had by a search. */
const mostLines = 10_000;
/** How much later than a newer line of another machine one may come. */
const lateMs = 10_000;
/** How long typing rests before the logs are read anew. */
const typingMs = 300;

/** Output of the app's instances, as it comes. */
export function LogsTab({ status }: TabProps) {
  const { space, name, processes, instances } = status;
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const [error, setError] = useState<ApiError | null>(null);
  const [isPaused, setPaused] = useState(false);
  const [process, instance, contains] = [parameter("process"), parameter("instance"), parameter("contains")];
  const query = { process: process || undefined, instance: instance || undefined, contains: contains || undefined };
  const typing = useRef(0);
  const key = `${space}/${name} ${JSON.stringify(query)}`;
  const heard = useRef<Heard>(nothingHeard(key));
  useWhile(
    `${key} ${isPaused}`,
    async (gone) => {
      if (heard.current.key !== key) {
        heard.current = nothingHeard(key);
        setLines([]);
      }
      if (isPaused) return;
      setError(null);
      await follow(async (signal) => {
        const { sequences, newestMs } = heard.current;
        // After a break it goes on where it was, and a little before, since lines of several machines come in no order; none is shown twice.
        const from = newestMs === null ? { tail: firstLines } : { tail: mostLines, sinceMs: Math.max(0, newestMs - lateMs) };
        const frames = collectFrames(keptLines, (more: readonly LogLine[]) => setLines((known) => [...known, ...more].slice(-keptLines)));
        const path = apiPath(["spaces", space, "apps", name, "logs"], { ...query, ...from, follow: true });
        try {
          for await (const line of readJsonLines<LogLine>(path, signal)) {
            if (line.sequence <= (sequences.get(line.instance) ?? -1)) continue;
            sequences.set(line.instance, line.sequence);
            heard.current.newestMs = Math.max(heard.current.newestMs ?? 0, line.atMs);
            frames.add(line);
          }
        } finally {
          frames.end();
        }
      }, gone);
    },
    setError,
  );
  const onType = (text: string) => {
    clearTimeout(typing.current);
    typing.current = setTimeout(() => setParameters({ contains: text }), typingMs) as unknown as number;
  };
  const instanceNames = new Set([...instances.map(({ id }) => shortInstanceId(id)), ...(instance === "" ? [] : [instance])]);
  const options = [process && `--process ${process}`, instance && `--instance ${instance}`, contains && `--grep ${quote(contains)}`];
  return (
    <Section
      title="Logs"
      note={isPaused ? "paused" : "live"}
      command={["drover logs", `${space}/${name}`, "-f", ...options].filter(Boolean).join(" ")}
      tools={
        <>
          <input
            type="search"
            aria-label="Only lines with this text"
            placeholder="only lines with"
            defaultValue={contains}
            onInput={(event) => onType(event.currentTarget.value)}
          />
          <ChoiceFilter
            label="Process"
            name="process"
            value={process}
            choices={[["", "all processes"], ...processes.map((one) => [one.name, one.name] as const)]}
            resets="instance"
          />
          <ChoiceFilter
            label="Instance"
            name="instance"
            value={instance}
            choices={[["", "all instances"], ...[...instanceNames].map((one) => [one, one] as const)]}
          />
          <Link to={`/logs?space=${encodeURIComponent(space)}&app=${encodeURIComponent(`${space}/${name}`)}`}>search</Link>
          <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
            {isPaused ? "Go on" : "Pause"}
          </button>
        </>
      }
    >
      <ErrorNotice error={error} />
      <LogLines lines={lines} />
    </Section>
  );
}

/** What is known of the lines of one question, so that a break in their stream leaves no gap. */
interface Heard {
  readonly key: string;
  /** Of the last line, by instance. */
  readonly sequences: Map<string, number>;
  newestMs: number | null;
}

function nothingHeard(key: string): Heard {
  return { key, sequences: new Map(), newestMs: null };
}
