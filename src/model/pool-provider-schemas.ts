import { z } from "zod";
import { DroverError } from "./errors.ts";
import { variableName } from "./name-schemas.ts";
import { duration } from "./quantity-schemas.ts";
import { port, unique } from "./schema-parts.ts";
import { parseTarget } from "./ssh-target.ts";

/** Providers of pools as a manifest writes them. */

/** As many as a pool may have machines. */
const mostHosts = 1_000;

const command = z
  .string("a command line")
  .min(1, "a command line")
  .max(16_384, "at most 16384 characters")
  .refine((text) => !text.includes("\0"), "text without NUL characters");

const commands = z.union(
  [
    command.transform((run) => ({ list: run, create: run, destroy: run, converge: run, power: run })),
    z.strictObject({
      list: command.meta({ description: 'Prints its machines: `{"machines":[{"name":"web-1","address":"10.0.0.4","power":"on"}]}`.' }),
      create: command.meta({
        description:
          "Makes the machine $DROVER_MACHINE and switches it on. One that is there already is well. It joins this Drover with $DROVER_JOIN_TOKEN at $DROVER_JOIN_ADDRESS.",
      }),
      destroy: command.meta({ description: "Takes the machine $DROVER_MACHINE away. One that is not there is well." }),
      converge: command.optional().meta({ description: "Makes the software of the machine $DROVER_MACHINE what it should be." }),
      power: command.optional().meta({ description: "Switches the machine $DROVER_MACHINE to $DROVER_POWER: on or off." }),
    }),
  ],
  "one command line for all verbs, told apart by $DROVER_VERB; or one each for list, create, destroy, converge and power",
);

const host = z.string("a host").superRefine((text, context) => {
  try {
    if (parseTarget(text).name === null) return;
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
  }
  context.addIssue({ code: "custom", message: '[USER@]HOST[:PORT], such as "ops@10.0.0.12"; machines are named after their pool' });
});
/** Two machines on one host would each take the other for an intruder. */
function placeOf(text: string): string {
  try {
    const { host: name, port: number } = parseTarget(text);
    return `${name}:${number ?? 22}`;
  } catch (error) {
    // That it is no host is said of it by itself.
    if (error instanceof DroverError) return text;
    throw error;
  }
}

const hosts = z
  .array(host, "a list of hosts")
  .min(1, "at least one host")
  .max(mostHosts, `at most ${mostHosts} hosts`)
  .refine((list) => unique(list.map(placeOf)), "each host once, whoever logs in there");

const ssh = z.union(
  [
    hosts.transform((list) => ({
      hosts: list,
      key: undefined,
      sudo: undefined,
      converge: undefined,
      power: undefined,
      http: undefined,
      https: undefined,
    })),
    z.strictObject({
      hosts: hosts.meta({ description: "`[USER@]HOST[:PORT]`, taken in this order; those beyond the number of machines are spare." }),
      key: variableName.optional().meta({
        description: "The secret that has the private key. Default: a key of Drover's own, whose public half `drover pool show` prints.",
      }),
      sudo: variableName.optional().meta({ description: "The secret that has the password for `sudo`. Default: none is needed." }),
      converge: command.optional().meta({
        description:
          "A script for `sh` that a machine runs as root when it is converged, with $DROVER_MACHINE, once Drover is there as it should be.",
      }),
      power: command.optional().meta({
        description:
          "A command line that switches the host at $DROVER_HOST to $DROVER_POWER: on or off. Run at an agent, not on the host. Default: nothing can.",
      }),
      http: port
        .optional()
        .meta({ description: "Port of the edges of these machines, on all of their addresses. Default: 127.0.0.1:8080." }),
      https: port.optional().meta({ description: "The same for TLS. Default: as `drover up` chooses it." }),
    }),
  ],
  "a list of [USER@]HOST[:PORT], each once and without a name; or a map of hosts with key, sudo, converge, power, http and https",
);

const controller = z.string("an https:// address").superRefine((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "https:" && url.username === "" && url.password === "" && url.search === "" && url.hash === "") return;
  context.addIssue({ code: "custom", message: "an address such as https://10.1.0.11, without a user or password" });
});

const redfish = z.strictObject({
  machines: z
    .array(
      z.strictObject({
        bmc: controller.meta({
          description: "Its management controller, such as https://10.1.0.11; with the path of its system if it has several.",
        }),
        address: z
          .string()
          .max(253)
          .regex(/^[A-Za-z0-9.:_-]+$/, "an address or a host name")
          .meta({ description: "Where the machine itself is reached." }),
      }),
    )
    .min(1, "at least one machine")
    .max(mostHosts, `at most ${mostHosts} machines`)
    // Two machines of one controller would switch each other off.
    .refine((list) => unique(list.map(({ bmc }) => bmc.replace(/\/+$/, ""))), "each controller once")
    .refine((list) => unique(list.map(({ address }) => address)), "each address once")
    .meta({ description: "The first is number 1 of the pool, for ever." }),
  user: variableName.meta({ description: "The secret that has the user's name at the controllers." }),
  password: variableName.meta({ description: "The secret that has the user's password." }),
  ca: z
    .string()
    .max(65_536)
    .regex(/-----BEGIN CERTIFICATE-----/, "certificates as PEM")
    .optional()
    .meta({ description: "The authority of the controllers' certificates. Default: each is pinned when it is first seen." }),
});

export const poolProvider = z
  .strictObject({
    command: commands.optional().meta({ description: "Command lines, run by `sh` at an agent." }),
    ssh: ssh.optional().meta({ description: "Hosts that the server makes machines over SSH." }),
    redfish: redfish.optional().meta({ description: "Machines of metal that are switched on and off over Redfish." }),
    env: z.record(variableName, z.string().max(65_536)).default({}).meta({ description: "Environment of its commands and scripts." }),
    secrets: z
      .array(variableName)
      .max(100)
      .refine(unique, "each once")
      .default([])
      .meta({ description: "Names of secrets of the space that its commands and scripts get in their environment." }),
    every: duration
      .refine((ms) => ms >= 500, "at least 500ms")
      .default(10_000)
      .meta({ description: "How often its list is asked for. Default 10s." }),
    timeout: duration
      .refine((ms) => ms > 0 && ms <= 300_000, "more than 0s and at most 5m")
      .default(30_000)
      .meta({ description: "How long its list may take; the other verbs have the timeout of their level. Default 30s." }),
  })
  .superRefine((provider, context) => {
    const kinds = (["command", "ssh", "redfish"] as const).filter((kind) => provider[kind] !== undefined);
    if (kinds.length !== 1) context.addIssue({ code: "custom", message: "a map with one of command, ssh and redfish" });
  });

export type PoolProviderManifest = z.output<typeof poolProvider>;
