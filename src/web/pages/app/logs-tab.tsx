import { useRef, useState } from "preact/hooks";
import { shortInstanceId } from "#model/names.ts";
import { type ApiError, apiPath } from "../../api/client.ts";
import { follow, readJsonLines } from "../../api/streams.ts";
import { ChoiceFilter } from "../../parts/filters.tsx";
import { quote } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { parameter, setParameters } from "../../state/location.ts";
import { useWhile } from "../../state/use.ts";
import type { TabProps } from "./app-page.tsx";
import { type LogLine, LogLines } from "./log-lines.tsx";

/** Lines at the beginning, and lines that the page keeps; older ones are had by the command. */
const firstLines = 1_000;
const keptLines = 20_000;
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
  useWhile(
    `${space}/${name} ${JSON.stringify(query)} ${isPaused}`,
    async (gone) => {
      if (isPaused) return;
      setError(null);
      setLines([]);
      await follow(async (signal) => {
        // Read anew from the start after a break: the last lines tell where it goes on, and none is shown twice.
        const batch = createBatch((more, isFirst) => setLines((known) => (isFirst ? more : [...known, ...more]).slice(-keptLines)));
        const path = apiPath(["spaces", space, "apps", name, "logs"], { ...query, tail: firstLines, follow: true });
        try {
          for await (const line of readJsonLines<LogLine>(path, signal)) batch.add(line);
        } finally {
          batch.end();
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

/** Hands lines on once a frame: a flood costs no more drawing than a trickle. */
function createBatch(give: (lines: readonly LogLine[], isFirst: boolean) => void) {
  let waiting: LogLine[] = [];
  let frame = 0;
  let isFirst = true;
  const flush = () => {
    frame = 0;
    give(waiting, isFirst);
    isFirst = false;
    waiting = [];
  };
  return {
    add: (line: LogLine) => {
      waiting.push(line);
      if (waiting.length > keptLines) waiting = waiting.slice(-keptLines);
      if (frame === 0) frame = requestAnimationFrame(flush);
    },
    end: () => {
      cancelAnimationFrame(frame);
      if (waiting.length > 0) flush();
    },
  };
}
