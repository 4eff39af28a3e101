import { type TestContext, test } from "node:test";
import { drainsContract } from "./drains-contract.ts";
import { exchangeContract } from "./exchange-contract.ts";
import { identityContract } from "./identity-contract.ts";
import type { RouterKind } from "./routers.ts";
import { slowContract } from "./slow-contract.ts";
import { streamsContract } from "./streams-contract.ts";

export type Check = (sentence: string, body: (t: TestContext) => Promise<void>) => void;

/** What every router does. @param skip why it cannot be tested here; false: it can. */
export function routerContract(kind: RouterKind, skip: string | false = false): void {
  const check: Check = (sentence, body) => void test(`${kind.name}: ${sentence}`, { skip }, body);
  exchangeContract(kind, check);
  identityContract(kind, check);
  streamsContract(kind, check);
  drainsContract(kind, check);
  slowContract(kind, check);
}
