import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { appReference, assignments, requireVariableName } from "../arguments.ts";
import { changeApp } from "../change.ts";
import type { Noun, Verb } from "../command.ts";

const list = {
  summary: "list an app's environment",
  configure: (command) => command.argument("<app>", "the app"),
  async run(session, { args }) {
    const { api, out, signal } = session;
    const { space, app } = appReference(args[0], session.common.space);
    const { env } = await api.call<{ env: Record<string, string> }>("GET", apiPath(["spaces", space, "apps", app, "env"]), signal);
    if (out.json) out.value({ env });
    else for (const [name, value] of Object.entries(env)) out.line(`${name}=${value}`);
    return 0;
  },
} satisfies Verb & { summary: string };

const set = {
  summary: "set variables; makes a new release",
  configure: (command) => command.argument("<app>", "the app").argument("<pairs...>", "NAME=value"),
  run: (session, { args: [app, ...pairs] }) =>
    changeApp(session, appReference(app, session.common.space), {
      method: "PATCH",
      action: "env",
      body: { set: variables(pairs) },
      makesRelease: true,
      done: "set the environment of",
      already: "has these values already",
    }),
} satisfies Verb & { summary: string };

const unset = {
  summary: "unset variables; makes a new release",
  configure: (command) => command.argument("<app>", "the app").argument("<names...>", "names of variables"),
  run: (session, { args: [app, ...names] }) => {
    const pair = names.find((name) => name.includes("="));
    if (pair !== undefined) throw new DroverError("USAGE", `"${pair}" is no name of a variable`, { hint: "Give names only." });
    for (const name of names) requireVariableName(name);
    return changeApp(session, appReference(app, session.common.space), {
      method: "PATCH",
      action: "env",
      body: { unset: names },
      makesRelease: true,
      done: "unset the environment of",
      already: `has no ${names.map((name) => `"${name}"`).join(", ")}`,
    });
  },
} satisfies Verb & { summary: string };

function variables(pairs: readonly string[]): Record<string, string> {
  const set = assignments(pairs, "variable");
  for (const name of Object.keys(set)) requireVariableName(name);
  return set;
}

export default { verbs: { ls: list, set, unset } } satisfies Noun;
