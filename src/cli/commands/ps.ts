import type { InstanceView } from "#model/api.ts";
import { shortInstanceId } from "#model/names.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Session, Verb } from "../command.ts";
import { styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { age } from "../output/time.ts";

export default {
  configure: (command) =>
    command
      .argument("[app]", "only this app's")
      .option("--process <name>", "only this process's")
      .option("--machine <name>", "only what runs on this machine"),
  async run(session, { args, options }) {
    const { process, machine } = options;
    const instances = (await listed(session, args[0], machine)).filter(
      (one) => (process === undefined || one.process === process) && (machine === undefined || one.machine === machine),
    );
    const { out } = session;
    if (out.json) {
      out.value({ instances });
      return 0;
    }
    if (instances.length === 0) {
      out.note("nothing runs");
      return 0;
    }
    const nowMs = session.clock.nowMs();
    // Where there is one machine, its name says nothing.
    const isSpread = new Set(instances.map(({ machine }) => machine)).size > 1;
    const rows = instances.map((one) => [
      `${one.space}/${one.app}`,
      shortInstanceId(one.id),
      ...(isSpread ? [one.machine] : []),
      stateWord(one),
      one.port === null ? "-" : String(one.port),
      one.pid === null ? "-" : String(one.pid),
      String(one.restarts),
      age(one.startedAtMs, nowMs),
      one.reason?.message ?? "",
    ]);
    const where = isSpread ? ["MACHINE"] : [];
    for (const line of table(["APP", "INSTANCE", ...where, "STATE", "PORT", "PID", "RESTARTS", "UP", ""], rows, out.columns))
      out.line(line);
    return 0;
  },
} satisfies Verb<{ process?: string; machine?: string }>;

async function listed(
  { api, common, signal }: Session,
  app: string | undefined,
  machine: string | undefined,
): Promise<readonly InstanceView[]> {
  const named = app === undefined ? null : appReference(app, common.space);
  const path =
    named === null
      ? apiPath(["instances"], { space: common.space ?? undefined, machine })
      : apiPath(["spaces", named.space, "apps", named.app, "instances"]);
  return (await api.call<{ instances: InstanceView[] }>("GET", path, signal)).instances;
}

function stateWord(one: InstanceView): string {
  if (one.state === "running") return one.ready ? styled("green", "ready") : styled("yellow", "not ready");
  return styled(one.state === "backoff" ? "red" : "cyan", one.state);
}
