import type { InstanceView } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import { changeApp } from "../change.ts";
import type { Verb } from "../command.ts";

export default {
  configure: (command) => command.argument("<app>", "the app").option("--process <name>", "only this process"),
  async run(session, { args, options }) {
    const { api, common, signal } = session;
    const reference = appReference(args[0], common.space);
    const path = apiPath(["spaces", reference.space, "apps", reference.app, "instances"]);
    const { instances } = await api.call<{ instances: InstanceView[] }>("GET", path, signal);
    const before = new Set(instances.filter((one) => options.process === undefined || one.process === options.process).map(incarnation));
    return changeApp(session, reference, {
      method: "POST",
      action: "restart",
      body: options.process === undefined ? {} : { process: options.process },
      done: "restarted",
      already: "runs as it did",
      isDone: (status) => !status.instances.some((one) => one.pid !== null && before.has(incarnation(one))),
    });
  },
} satisfies Verb<{ process?: string }>;

/** An instance from one start of its process to the next: replaced in place it keeps its name. */
function incarnation(one: InstanceView): string {
  return `${one.id} ${one.pid} ${one.startedAtMs}`;
}
