import { readTextIfThere } from "#host/files.ts";

/** As many clients as the embedded router takes. */
const most = 20_000;
/** Where the system does not say. */
const usualDescriptors = 4_096;
/** For listeners, sockets of control and relays, and HAProxy's own. */
const ownDescriptors = 1_024;

/** Connections of clients that HAProxy may take: each needs a second descriptor towards an instance, and HAProxy does not start if it cannot have them. */
export async function connectionsThatFit(): Promise<number> {
  const limits = await readTextIfThere("/proc/self/limits");
  const descriptors = Number(/^Max open files +\d+ +(\d+)/m.exec(limits ?? "")?.[1] ?? usualDescriptors);
  return Math.max(1, Math.min(most, Math.floor((descriptors - ownDescriptors) / 2.1)));
}
