import type { LogContextView, LogEventView } from "#model/api-logs.ts";
import { apiPath, call } from "../../api/client.ts";
import { Dialog } from "../../parts/dialog.tsx";
import { dateTime, timeOfDay } from "../../parts/format.ts";
import { ErrorNotice } from "../../parts/notice.tsx";
import { State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { parameter, setParameters } from "../../state/location.ts";
import { useLoad } from "../../state/use.ts";
import { levelTones } from "./event-words.ts";
import { Missing } from "./histogram.tsx";

/** Events on either side. */
const around = 20;

/** One event whole, with its fields, among what its instance said before and after. */
export function EventDetails() {
  const at = parameter("at");
  const [instance, sequence] = [at.slice(0, at.lastIndexOf(":")), Number(at.slice(at.lastIndexOf(":") + 1))];
  const { value, error } = useLoad(at, (signal) =>
    call<LogContextView>("GET", apiPath(["logs", "context"], { instance, sequence, before: around, after: around }), { signal }),
  );
  const event = value?.events.find((one) => one.sequence === sequence);
  const close = () => setParameters({ at: "" });
  return (
    <Dialog title={`Event of ${instance}`} onClose={close} class="details">
      <div class="heading">
        <h2>{instance}</h2>
        {event !== undefined && <span class="muted">on {event.machine}</span>}
        <span class="tools">
          <button type="button" onClick={close}>
            Close
          </button>
        </span>
      </div>
      <ErrorNotice error={error} />
      {value !== null && <Missing {...value} />}
      {event !== undefined && <Fields event={event} />}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard */}
      <ol class="context" aria-label="What its instance said around it" tabIndex={0}>
        {value?.events.map((one) => (
          <li key={one.sequence} class={one === event ? "chosen" : undefined} aria-current={one === event ? "true" : undefined}>
            <time>{timeOfDay(one.atMs)}</time>
            <pre class={one.source === "drover" ? "warn" : undefined}>{one.text.split("\n").map(visibleText).join("\n")}</pre>
          </li>
        ))}
      </ol>
    </Dialog>
  );
}

function Fields({ event: { atMs, statedAtMs, level, fields } }: { readonly event: LogEventView }) {
  const pairs = Object.entries(fields);
  return (
    <>
      <p class="line">
        {level !== null && <State tone={levelTones[level]} word={level} />}
        <span>read at {dateTime(atMs)}</span>
        {statedAtMs !== null && <span class="muted">it says {dateTime(statedAtMs)}</span>}
      </p>
      {pairs.length > 0 && (
        <dl class="pairs">
          {pairs.map(([field, value]) => (
            <div key={field}>
              <dt class="mono">{visibleText(field)}</dt>
              <dd class="mono">{visibleText(String(value))}</dd>
            </div>
          ))}
        </dl>
      )}
    </>
  );
}
