import type { SecretView } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { defaultSpace, requireVariableName } from "../arguments.ts";
import type { Noun, Session, Verb } from "../command.ts";
import { table } from "../output/table.ts";
import { dateTime } from "../output/time.ts";
import { confirm, readHidden, readInput } from "../prompt.ts";
import { waitForApps } from "../wait/ready.ts";

interface SecretChanged {
  readonly space: string;
  readonly name: string;
  readonly version: number | null;
  readonly changed: boolean;
  readonly releases: readonly { readonly app: string; readonly release: number }[];
}

/** The API's own bound. */
const longestValue = 65_536;

const list = {
  summary: "list a space's secrets, without their values",
  async run(session) {
    const { api, out, signal } = session;
    const { secrets } = await api.call<{ secrets: SecretView[] }>("GET", apiPath(["spaces", spaceOf(session), "secrets"]), signal);
    if (out.json) {
      out.value({ secrets });
      return 0;
    }
    if (secrets.length === 0) {
      out.note(`space "${spaceOf(session)}" has no secrets`);
      return 0;
    }
    const rows = secrets.map(({ name, version, updatedAtMs, usedBy, signs }) => [
      name,
      String(version),
      dateTime(updatedAtMs),
      [...usedBy, ...signs].join(", ") || "-",
    ]);
    for (const line of table(["SECRET", "VERSION", "SET", "USED BY"], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

const set = {
  summary: "set a secret; apps that use it get new releases",
  configure: (command) =>
    command.argument("<name>", "name of the secret").addHelpText(
      "after",
      `
The value is asked for, or read from standard input (one line feed at its end is dropped). It is never an argument, because those are seen by
everybody on the machine and kept by shells.

Example:
  drover secret set STRIPE_KEY < key.txt`,
    ),
  async run(session, { args: [name = ""] }) {
    const { api, out, signal, terminal } = session;
    requireVariableName(name);
    const value = terminal.input.isTTY === true ? await readHidden(session, `value of ${name}: `) : await piped(session, name);
    if (value === "")
      throw new DroverError("USAGE", `the value of "${name}" is empty`, { hint: 'To remove a secret, use "drover secret rm".' });
    const space = spaceOf(session);
    const changed = await api.call<SecretChanged>("PUT", apiPath(["spaces", space, "secrets", name]), signal, { body: { value } });
    if (!session.common.detach)
      await waitForApps(
        session,
        changed.releases.map(({ app, release }) => ({ space, app, release })),
      );
    if (out.json) out.value(changed);
    else if (changed.changed === false) out.line(`nothing changed: ${space}/${name} has this value already`);
    else out.line(`set ${space}/${name}${changed.releases.map(({ app, release }) => `; ${space}/${app} has release ${release}`).join("")}`);
    return 0;
  },
} satisfies Verb & { summary: string };

const remove = {
  summary: "remove a secret",
  configure: (command) => command.argument("<name>", "name of the secret"),
  async run(session, { args: [name = ""] }) {
    const { api, out, signal } = session;
    const { signs } = await requireUnused(session, name);
    const unsigned = signs.length === 0 ? "" : `; webhooks of ${signs.join(", ")} are not signed any more`;
    await confirm(session, `this removes the secret "${name}" of space "${spaceOf(session)}"${unsigned}`, name);
    const removed = await api.call<SecretChanged>("DELETE", apiPath(["spaces", spaceOf(session), "secrets", name]), signal);
    if (out.json) out.value(removed);
    else out.line(`removed ${spaceOf(session)}/${name}${unsigned}`);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls: list, set, rm: remove } } satisfies Noun;

function spaceOf(session: Session): string {
  return session.common.space ?? defaultSpace;
}

/** Looked up first, so that nobody has to confirm the end of what does not exist or cannot go. @throws {DroverError} SECRET_NOT_FOUND, CONFLICT */
async function requireUnused(session: Session, name: string): Promise<SecretView> {
  const space = spaceOf(session);
  const { secrets } = await session.api.call<{ secrets: SecretView[] }>("GET", apiPath(["spaces", space, "secrets"]), session.signal);
  const secret = secrets.find((one) => one.name === name);
  if (secret === undefined) {
    throw new DroverError("SECRET_NOT_FOUND", `space "${space}" has no secret "${name}"`, {
      hint: `See which there are with "drover secret ls --space ${space}".`,
    });
  }
  if (secret.usedBy.length === 0) return secret;
  throw new DroverError("CONFLICT", `the secret ${name} is used by ${secret.usedBy.map((user) => `"${user}"`).join(", ")}`, {
    hint: "Take it out of their manifests and apply them, then remove it.",
  });
}

async function piped(session: Session, name: string): Promise<string> {
  return (await readInput(session, longestValue + 2, `the value of "${name}"`)).toString("utf8").replace(/\r?\n$/, "");
}
