import type { LogScope } from "#model/log-event.ts";
import { type LogSelection, selectLogs } from "../log-selection.ts";

/** Which instances a scope means. */
export function selectAny({ of, except, kinds }: LogScope): LogSelection {
  const wanted = of.map((prefix) => selectLogs({ prefix, instance: null, ...(kinds === undefined ? {} : { kinds }) }));
  const unwanted = except.map((prefix) => selectLogs({ prefix, instance: null }));
  return {
    // An app of which some is not wanted may have others that are.
    hasApp: (app) => wanted.some((one) => one.hasApp(app)),
    has: (instance) => wanted.some((one) => one.has(instance)) && !unwanted.some((one) => one.has(instance)),
  };
}
