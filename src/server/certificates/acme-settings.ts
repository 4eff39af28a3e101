import { objects } from "../objects/objects.ts";
import type { Sealed } from "../secrets/sealer.ts";
import type { Store } from "../store/store.ts";

/** Which authority certificates are ordered from, and how. Kept in the store. */
export interface AcmeSettings {
  /** URL of its directory. */
  readonly directory: string;
  /** Whom it may write to; null: nobody. */
  readonly email: string | null;
  readonly challenge: "http-01" | "tls-alpn-01" | "dns-01";
  /** For an authority inside: the certificate that its own API is trusted by, PEM. Names that the public does not reach are ordered too. */
  readonly caPem: string | null;
  /** Key of the account, PKCS #8 in PEM, sealed. */
  readonly accountKey: Sealed;
}

export const accountBound = (directory: string): readonly string[] => ["acme account", directory];

export function acmeSettings(store: Store): AcmeSettings | null {
  return objects.acme(store)?.value ?? null;
}
