import { beforeProcess, buildProcess, reservedSpace, runProcess } from "./names.ts";
import { stepsApp } from "./steps.ts";

/** Whose lines there are: instances of apps, what is done for apps besides, and Drover's own programs. */
export const logKinds = ["app", "build", "run", "before", "escalation", "server", "agent", "edge"] as const;
export type LogKind = (typeof logKinds)[number];

/** Those that spaces have, and that whoever may read a space may read. */
export const kindsOfSpaces: readonly LogKind[] = ["app", "build", "run", "before", "escalation"];

/** What plain `drover logs APP` shows: its instances, and what had to run before they did. */
export const kindsOfApp: readonly LogKind[] = ["app", "before"];

const ofProcess: Readonly<Record<string, LogKind>> = { [buildProcess]: "build", [runProcess]: "run", [beforeProcess]: "before" };

/** @param instance such as `shop/api/web.7.k3f9b` */
export function kindOfInstance(instance: string): LogKind {
  const [space, app = "", rest = ""] = instance.split("/");
  if (space === reservedSpace) return logKinds.find((kind) => kind === app) ?? "server";
  if (app === stepsApp) return "escalation";
  return ofProcess[rest.slice(0, rest.indexOf("."))] ?? "app";
}
