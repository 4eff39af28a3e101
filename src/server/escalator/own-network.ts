import { networkInterfaces } from "node:os";

/** Whether this machine is still on a network: it is not when it had an address that others can reach, and has none any more. */
export function watchOwnNetwork(interfaces: typeof networkInterfaces = networkInterfaces): () => boolean {
  let hadAddress = false;
  return () => {
    const hasAddress = Object.values(interfaces()).some((addresses) => addresses?.some(({ internal }) => !internal));
    hadAddress ||= hasAddress;
    return hasAddress || !hadAddress;
  };
}
