import type { Pool } from "#model/pool.ts";
import { put, read, unchanged } from "../../objects/objects.ts";
import { type PoolPins, poolPinsKeys } from "../../objects/pool-pins.ts";
import { transact } from "../../operations/transact.ts";
import type { Store } from "../../store/store.ts";
import type { CertificatePins } from "./bmc.ts";

/** Pins in the store, so that what was seen first is what counts after every restart. */
export function storedPins(store: Store, { space, name }: Pick<Pool, "space" | "name">): CertificatePins {
  const key = poolPinsKeys.pool(space, name);
  return {
    of: (place) => read<PoolPins>(store, key)?.value[place] ?? null,
    pin: async (place, fingerprint) => {
      await transact(store, null, () => {
        const stored = read<PoolPins>(store, key);
        if (stored?.value[place] !== undefined) return { answer: {}, conditions: [], changes: [] };
        return { answer: {}, conditions: [unchanged(key, stored)], changes: [put(key, { ...stored?.value, [place]: fingerprint })] };
      });
    },
  };
}
