import { nameOf, scopeOf, type Target } from "#model/target.ts";
import type { EventSink } from "../events/event-log.ts";
import type { CheckRecords } from "./check-records.ts";

/** The same records; what fails and passes again is told as events too, beside what else happens. */
export function tellingRecords(records: CheckRecords, events: EventSink): CheckRecords {
  return {
    ...records,
    changed: (space, change) => {
      records.changed(space, change);
      const { check, from, to, message } = change;
      const target = check.slice(check.indexOf("@") + 1) as Target;
      const about = { space, ...(scopeOf(target) === "app" ? { app: nameOf(target) } : {}), subject: check };
      if (to === "failing") events.append({ ...about, kind: "check.failing", message: `${check} fails: ${message}` });
      else if (from === "failing" && to === "ok") events.append({ ...about, kind: "check.passing", message: `${check} passes again` });
    },
  };
}
