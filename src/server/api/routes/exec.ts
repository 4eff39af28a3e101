import { execRequest, execTicket } from "#model/api.ts";
import type { AppName, InstanceId, MachineId, SpaceName } from "#model/names.ts";
import { shortInstanceId } from "#model/names.ts";
import { requireApp } from "../../operations/app-operations.ts";
import { json, type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** Commands inside: a ticket first, then a WebSocket. */
export function execRoutes(services: Services): readonly Route[] {
  const { controlPlane, tickets, events } = services;
  return [
    route({
      method: "POST",
      path: "/v1/spaces/:space/apps/:app/exec",
      id: "prepareExec",
      summary: "Chooses where a command is to run and gives a ticket for it, open for 30 s and once.",
      access: { right: "enter", of: "space" },
      body: json(execRequest),
      answer: { kind: "json", schema: execTicket },
      handle: async ({ params, caller }, _query, { command, terminal, instance, process, fresh }) => {
        const space = params["space"] as SpaceName;
        const app = params["app"] as AppName;
        requireApp(services, space, app);
        const id = instance === undefined || instance.includes("/") ? instance : `${space}/${app}/${instance}`;
        const place = controlPlane.execPlace(space, app, { instance: id, process, fresh });
        if (place.instance !== null && !belongsTo(place.instance, space, app)) throw new Error("an exec was placed in another app");
        const ticket = tickets.issue({ where: place.where, command, terminal }, caller);
        const subject = place.instance === null ? {} : { subject: shortInstanceId(place.instance) };
        // Who was in which instance is worth knowing; what was typed is nobody's business.
        events.append({
          kind: "exec.opened",
          space,
          app,
          by: caller.name,
          ...subject,
          message: `${caller.name} opened a command in "${app}"`,
        });
        return { json: { ticket, instance: place.instance } };
      },
    }),
    route({
      method: "POST",
      path: "/v1/machines/:machine/exec",
      id: "prepareMachineExec",
      summary: "Gives a ticket, open for 30 s and once, for a command on a machine itself, as the user that Drover has there.",
      access: { right: "host", of: "installation" },
      body: json(execRequest.pick({ command: true, terminal: true })),
      answer: { kind: "json", schema: execTicket },
      handle: async ({ params, caller }, _query, { command, terminal }) => {
        const { machine } = controlPlane.agentOn(params["machine"] as MachineId);
        const ticket = tickets.issue({ where: { kind: "machine", machine }, command, terminal }, caller);
        events.append({
          kind: "machine.exec",
          subject: machine,
          by: caller.name,
          message: `${caller.name} opened a command on ${machine} itself`,
        });
        return { json: { ticket, instance: null } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/exec/:ticket",
      id: "openExec",
      summary: "WebSocket of one command: text messages of ExecInput to it (without `start`), of ExecOutput from it.",
      access: "ticket",
      answer: { kind: "upgrade" },
      handle: () => Promise.reject(new Error("an upgrade was answered as a request")),
    }),
  ];
}

function belongsTo(instance: InstanceId, space: SpaceName, app: AppName): boolean {
  return instance.startsWith(`${space}/${app}/`);
}
