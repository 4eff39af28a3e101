import { once } from "node:events";
import type { Listen } from "./context.ts";

/** Waiting connections that the kernel holds while the loop is busy: a burst of thousands must not be refused. */
export const backlog = 4_096;

/** Opens the address for this process alone. */
export const listenAlone: Listen = async (server, { host, port }) => {
  server.listen({ host, port, backlog });
  await once(server, "listening");
};
