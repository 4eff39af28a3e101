import { z } from "zod";
import { machine, machineToken, newMachineToken } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import type { MachineId } from "#model/names.ts";
import { json, type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** The machines that apps run on, and who may become one. */
export function machineRoutes({ controlPlane, remote }: Services): readonly Route[] {
  const requireRemote = () => {
    if (remote !== null) return remote;
    throw new DroverError("NOT_YET_SUPPORTED", "other machines cannot reach this server", {
      hint: 'Start it with "drover up --link HOST:7374", with an address of this machine that the others reach.',
    });
  };
  return [
    route({
      method: "GET",
      path: "/v1/machines",
      id: "listMachines",
      summary: "Machines, what they have, and which isolation holds on them.",
      access: "read",
      answer: { kind: "json", schema: z.object({ machines: z.array(machine) }) },
      handle: async () => ({ json: { machines: controlPlane.machines() } }),
    }),
    route({
      method: "POST",
      path: "/v1/machine-tokens",
      id: "createMachineToken",
      summary: "Makes a token with which one machine joins under this name, once, within 15 minutes.",
      access: "write",
      body: json(newMachineToken),
      answer: { kind: "json", schema: machineToken },
      handle: async (_call, _query, { machine: name, labels }) => {
        const links = requireRemote();
        if (controlPlane.machines().some(({ id, joined }) => id === name && !joined))
          throw new DroverError("CONFLICT", `"${name}" is the machine that the server runs on`, {
            hint: "Choose another name for the new one.",
          });
        return { status: 201, json: { machine: name, ...(await links.createToken(name, labels)), address: links.address } };
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/machines/:machine",
      id: "removeMachine",
      summary: "Forgets a machine that has joined: its certificate is worth nothing from then on.",
      access: "write",
      answer: { kind: "json", schema: z.object({ machine: z.string() }) },
      handle: async ({ params }) => {
        const name = params["machine"] as MachineId;
        await requireRemote().remove(name);
        controlPlane.forgetMachine(name);
        return { json: { machine: name } };
      },
    }),
  ];
}
