/** Numbers of the protocol as IANA has them ("Domain Name System (DNS) Parameters"). */
export const types = {
  a: 1,
  ns: 2,
  soa: 6,
  ptr: 12,
  hinfo: 13,
  txt: 16,
  aaaa: 28,
  srv: 33,
  opt: 41,
  /** TKEY, TSIG, IXFR, AXFR, MAILB, MAILA: from here to below ANY they ask for something other than records of a name. */
  firstMeta: 249,
  any: 255,
} as const;

export const classes = { internet: 1 } as const;

export const rcodes = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  /** Above 15: the upper bits travel in the OPT record. */
  badVers: 16,
} as const;

/** Options of the OPT record. */
export const options = { cookie: 10, extendedError: 15 } as const;

/** Extended errors (RFC 8914). */
export const extendedErrors = { prohibited: 18, notSupported: 21, noReachableAuthority: 22 } as const;

/** Bits of the header's second word. */
export const flags = {
  response: 0x8000,
  opcode: 0x7800,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  authenticData: 0x0020,
  checkingDisabled: 0x0010,
  rcode: 0x000f,
} as const;

export const headerBytes = 12;
/** A name on the wire, its last zero included (RFC 1035, 3.1). */
export const longestName = 255;
export const longestLabel = 63;
/** What every client takes over UDP when it does not say more (RFC 1035, 4.2.1). */
export const plainUdpBytes = 512;
/** Fits the smallest link of IPv6 without fragments, which are dropped and forged (DNS flag day 2020). */
export const ednsUdpBytes = 1_232;
export const longestMessage = 65_535;
