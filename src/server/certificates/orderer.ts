import type { KeyPair } from "#host/x509/make-certificate.ts";
import type { AcmeChallenge } from "#model/certificates.ts";
import type { AcmeSettings } from "./acme-settings.ts";

/** Gets certificates from an authority by ACME. Tries once. */
export interface Orderer {
  /**
   * @param show puts a challenge where the authority looks; resolves once every edge answers with it. What it returns takes it away again.
   * @throws {AcmeProblem} if the authority refuses; any error of the network.
   */
  order(
    host: string,
    settings: AcmeSettings,
    show: (challenge: AcmeChallenge) => Promise<() => Promise<void>>,
    signal: AbortSignal,
  ): Promise<KeyPair>;
}
