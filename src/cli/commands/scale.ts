import { appReference, assignments, wholeNumber } from "../arguments.ts";
import { changeApp } from "../change.ts";
import type { Verb } from "../command.ts";

/** The most that the API takes for one process. */
const mostInstances = 10_000;

export default {
  configure: (command) =>
    command
      .argument("<app>", "the app")
      .argument("<counts...>", "a number for web, or process=number")
      .addHelpText("after", "\nExamples:\n  drover scale shop 3\n  drover scale shop web=3 worker=1"),
  run(session, { args: [app, ...counts] }) {
    const [only] = counts;
    const isShort = counts.length === 1 && only !== undefined && /^\d+$/.test(only);
    const pairs = isShort ? { web: only } : assignments(counts, "count");
    const instances = Object.fromEntries(
      Object.entries(pairs).map(([process, text]) => [process, wholeNumber(text, `the number of ${process} instances`, 0, mostInstances)]),
    );
    return changeApp(session, appReference(app, session.common.space), {
      method: "POST",
      action: "scale",
      body: { instances },
      done: "scaled",
      already: "is scaled so already",
      isDone: (status) => status.stopped || status.processes.every((process) => process.ready === process.wanted),
    });
  },
} satisfies Verb;
