import { z } from "zod";
import { addition, toldAddition } from "#model/api-additions.ts";
import { machineChange, machineList, machineStanding, machineToken, newMachineToken } from "#model/api-machines.ts";
import { DroverError } from "#model/errors.ts";
import type { MachineId } from "#model/names.ts";
import { inviteMachine } from "../../members/invitations.ts";
import { noSuchMachine } from "../../members/members.ts";
import { setStanding } from "../../members/standings.ts";
import { boundTo } from "../../view/machine-view.ts";
import { json, type Route, route } from "../route.ts";
import { type Services, signed } from "../services.ts";

/** A thousand hosts, each with more than is in the way of most. */
const additionBytes = 4 * 2 ** 20;

/** The machines that apps run on, and who may become one. */
export function machineRoutes(services: Services): readonly Route[] {
  const { additions, controlPlane, remote, store } = services;
  const requireRemote = () => {
    if (remote !== null) return remote;
    throw new DroverError("NOT_YET_SUPPORTED", "other machines cannot reach this server", {
      hint: 'Start it with "drover up --link HOST:7374", with an address of this machine that the others reach.',
    });
  };
  const requireMachine = (name: string | undefined) => {
    const found = controlPlane.machines().find(({ id }) => id === name);
    if (found === undefined) throw noSuchMachine(name ?? "");
    return found;
  };
  return [
    route({
      method: "GET",
      path: "/v1/machines",
      id: "listMachines",
      summary: "Machines, what they have, and which isolation holds on them.",
      access: { right: "read", of: "common" },
      answer: { kind: "json", schema: machineList },
      handle: async () => {
        const escalator = await controlPlane.runningEscalator();
        const machines = controlPlane
          .machines()
          .map((machine) => ({ ...machine, pool: escalator?.poolOf(machine.id as MachineId) ?? null }));
        return { json: { machines, join: remote?.address ?? null } };
      },
    }),
    route({
      method: "POST",
      path: "/v1/machine-tokens",
      id: "createMachineToken",
      summary: "Makes a token with which one machine joins under this name, once, within 15 minutes.",
      access: { right: "operate", of: "installation" },
      body: json(newMachineToken),
      answer: { kind: "json", schema: machineToken },
      handle: async (_call, _query, { machine: name, labels }) => {
        const own = controlPlane.machines().find(({ joined }) => !joined)?.id ?? null;
        return { status: 201, json: { machine: name, ...(await inviteMachine(requireRemote(), own, name, labels)) } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/machine-additions",
      id: "listMachineAdditions",
      summary: "What `drover machine add` does or did lately, wherever it was called: each host with how far it is and what is in its way.",
      access: { right: "operate", of: "installation" },
      answer: { kind: "json", schema: z.object({ additions: z.array(addition) }) },
      handle: async () => ({ json: { additions: additions.list() } }),
    }),
    route({
      method: "PUT",
      path: "/v1/machine-additions/:addition",
      id: "tellMachineAddition",
      summary: "How far `drover machine add` is, for whoever looks on. Nothing is done with it.",
      access: { right: "operate", of: "installation" },
      body: json(toldAddition, additionBytes),
      answer: { kind: "json", schema: z.object({ id: z.string() }) },
      handle: async ({ params, caller }, _query, told) => {
        const id = params["addition"] ?? "";
        additions.tell(id, caller.name, told);
        return { json: { id } };
      },
    }),
    route({
      method: "PATCH",
      path: "/v1/machines/:machine",
      id: "changeMachine",
      summary:
        "Cordons a machine, so that it takes nothing new, or drains it, so that what it runs goes elsewhere step by step; or ends that; or changes its labels.",
      access: { right: "operate", of: "installation" },
      body: json(machineChange),
      answer: { kind: "json", schema: machineStanding },
      handle: async ({ params, caller }, _query, { cordoned, draining, forced, labels }) => {
        const name = requireMachine(params["machine"]).id as MachineId;
        const change = {
          ...(cordoned === undefined ? {} : { cordoned }),
          ...(draining === undefined ? {} : { draining }),
          ...(forced === undefined ? {} : { forced }),
          ...(labels === undefined ? {} : { labels }),
        };
        const standing = await setStanding(store, name, change, signed(services, { caller }).events);
        return { json: { machine: name, ...standing, bound: [...boundTo(store, name)] } };
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/machines/:machine",
      id: "removeMachine",
      summary: "Forgets a machine that has joined: its certificate is worth nothing from then on.",
      access: { right: "operate", of: "installation" },
      query: z.strictObject({ force: z.enum(["true", "false"]).default("false") }),
      answer: { kind: "json", schema: z.object({ machine: z.string() }) },
      handle: async ({ params, caller }, { force }) => {
        const { id, instances, pending, known, linked } = requireMachine(params["machine"]);
        const name = id as MachineId;
        if (linked && !known && force !== "true")
          throw new DroverError("CONFLICT", `"${name}" has not told yet what it runs`, {
            hint: "Try again in a few seconds, or remove it all the same with --force.",
          });
        const there = instances + pending;
        if (there > 0 && linked && force !== "true")
          throw new DroverError("CONFLICT", `"${name}" runs ${there === 1 ? "an instance" : `${there} instances`}`, {
            hint: `Move them first with "drover machine drain ${name}", or remove it all the same with --force.`,
          });
        await requireRemote().remove(name, signed(services, { caller }).events);
        controlPlane.forgetMachine(name);
        return { json: { machine: name } };
      },
    }),
  ];
}
