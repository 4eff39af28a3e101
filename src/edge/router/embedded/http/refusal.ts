/** Why a message was not understood, and the status that says so. After a refusal the connection closes: what follows cannot be trusted. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

export function refusal(status: number, reason: string): Refusal {
  return Object.freeze({ status, reason });
}
