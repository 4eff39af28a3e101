import { DroverError } from "#model/errors.ts";
import { appReference } from "../arguments.ts";
import { changeApp } from "../change.ts";
import type { Verb } from "../command.ts";

export default {
  configure: (command) =>
    command
      .argument("<on|off>", "whether a page stands in for the app")
      .argument("<app>", "the app")
      .option("--message <sentence>", "what the page says (default: Down for maintenance)")
      .addHelpText(
        "after",
        "\nThe app runs on, and so do its service addresses; its HTTP routes answer 503 with the page, through deploys, until it is taken away.",
      ),
  run(session, { args: [state, app], options: { message } }) {
    if (state !== "on" && state !== "off")
      throw new DroverError("USAGE", `"${state}" is neither on nor off`, {
        hint: 'Use "drover maintenance on APP" or "drover maintenance off APP".',
      });
    const on = state === "on";
    return changeApp(session, appReference(app, session.common.space), {
      method: "POST",
      action: "maintenance",
      body: { on, ...(on && message !== undefined ? { message } : {}) },
      done: on ? "put a page in front of" : "took the page away from",
      already: on ? "has that page already" : "has no page",
    });
  },
} satisfies Verb<{ message?: string }>;
