import { writeFile } from "node:fs/promises";
import { type Role, roles, tokenLifeMs } from "#model/access.ts";
import type { CreatedToken, TokenHolder, TokenView } from "#model/api-access.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { durationMs } from "../arguments.ts";
import type { Noun, Verb } from "../command.ts";
import { table } from "../output/table.ts";
import { age, count, dateTime } from "../output/time.ts";

interface CreateOptions {
  readonly role?: string;
  /** Text where it stands before the command. */
  readonly space?: string | readonly string[];
  readonly expires?: string;
  readonly out?: string;
}

const create = {
  summary: "make a token for a person or a program",
  configure: (command) =>
    command
      .argument("<name>", "what it is called in records, such as ci or anna")
      .requiredOption("--role <role>", `what it may do: ${roles.join(", ")}; each may what those before it may`)
      .option("-s, --space <name>", "a space that it is for; may be repeated (default: all)", (one: string, all: string[] = []) => [
        ...all,
        one,
      ])
      .option("--expires <duration>", "when it ends, at most 365d (default: 90d)")
      .option("--out <file>", "write the token there, readable by you alone, in place of printing it")
      .addHelpText(
        "after",
        `
The token is printed once, alone, and kept nowhere.
  drover token create ci --role deployer --space shop --expires 30d
  drover token create prometheus --role viewer --out /etc/prometheus/drover-token`,
      ),
  async run({ api, out, signal }, { args: [name = ""], options }) {
    const { role = "", space, expires, out: file } = options as CreateOptions;
    const spaces = typeof space === "string" ? [space] : space;
    const body = {
      name,
      role: requireRole(role),
      ...(spaces === undefined ? {} : { spaces }),
      ...(expires === undefined ? {} : { expiresInMs: lifeMs(expires) }),
    };
    const made = await api.call<CreatedToken>("POST", apiPath(["tokens"]), signal, { body });
    if (file !== undefined) await writeFile(file, `${made.token}\n`, { mode: 0o600 });
    if (out.json) {
      out.value(file === undefined ? made : { ...made, token: null, file });
      return 0;
    }
    if (file === undefined) out.line(made.token);
    out.note(`${name} is ${holderOf(made)} until ${dateTime(made.expiresAtMs)}; "drover token revoke ${name}" ends it before`);
    return 0;
  },
} satisfies Verb & { summary: string };

const list = {
  summary: "list tokens: what each may, until when, and when it was used",
  async run({ api, out, clock, signal }) {
    const { tokens } = await api.call<{ tokens: TokenView[] }>("GET", apiPath(["tokens"]), signal);
    if (out.json) {
      out.value({ tokens });
      return 0;
    }
    if (tokens.length === 0) out.note('there is none but the owner\'s own; "drover token create" makes one');
    const nowMs = clock.nowMs();
    const rows = tokens.map(({ name, role, spaces, expiresAtMs, usedAtMs, createdBy, createdAtMs }) => [
      name,
      role,
      spaces?.join(",") ?? "all",
      expiresAtMs <= nowMs ? `${dateTime(expiresAtMs)} (over)` : dateTime(expiresAtMs),
      usedAtMs === null ? "-" : age(usedAtMs, nowMs),
      `${age(createdAtMs, nowMs)} by ${createdBy}`,
    ]);
    if (rows.length > 0) for (const line of table(["TOKEN", "ROLE", "SPACES", "UNTIL", "USED", "MADE"], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

const revoke = {
  summary: "end a token: its next request is refused, and what it has open is closed",
  configure: (command) => command.argument("<token>", "its name"),
  async run({ api, out, signal }, { args: [name = ""] }) {
    await api.call("DELETE", apiPath(["tokens", name]), signal);
    if (out.json) out.value({ name });
    else out.line(`revoked ${name}`);
    return 0;
  },
} satisfies Verb & { summary: string };

const show = {
  summary: "show as whom you speak: the token that is in use, and what it may",
  async run({ api, out, signal }) {
    const holder = await api.call<TokenHolder>("GET", apiPath(["holder"]), signal);
    if (out.json) out.value(holder);
    else out.line(`${holder.name}, ${holderOf(holder)}${holder.expiresAtMs === null ? "" : ` until ${dateTime(holder.expiresAtMs)}`}`);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls: list, create, revoke, show } } satisfies Noun;

function requireRole(text: string): Role {
  const role = roles.find((one) => one === text);
  if (role !== undefined) return role;
  throw new DroverError("USAGE", `there is no role "${text}"`, { hint: `Name one of ${roles.join(", ")}; "drover help token" says more.` });
}

/** `deployer of shop`, `viewer of 3 spaces`, `owner of everything`. */
function holderOf({ role, spaces }: Pick<TokenHolder, "role" | "spaces">): string {
  return `${role} of ${spaces === null ? "everything" : spaces.length > 2 ? count(spaces.length, "space") : spaces.join(" and ")}`;
}

function lifeMs(text: string): number {
  const ms = durationMs(text, "--expires");
  if (ms >= tokenLifeMs.least && ms <= tokenLifeMs.most) return ms;
  throw new DroverError("USAGE", `--expires is "${text}"`, {
    hint: "Give 1m to 365d: a token that nobody thinks of any more ends by itself.",
  });
}
