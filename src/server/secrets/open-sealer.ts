import { holdsCertificates } from "../certificates/stored-certificates.ts";
import type { Store } from "../store/store.ts";
import { holdsSecrets } from "./sealed-secrets.ts";
import { Sealer } from "./sealer.ts";

/** The one sealer of a store: its key in `keyFile` is not made anew while anything is sealed that could not be had again. */
export function openSealer(store: Store, keyFile: string): Sealer {
  return new Sealer(keyFile, () => holdsSecrets(store) || holdsCertificates(store));
}
