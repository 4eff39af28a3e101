/** Stands in for `node:test` while mutants are tried: collects the tests of the files that import it, and runs none. */
export const tests: { readonly name: string; readonly run: () => unknown }[] = [];

export function test(name: string, run: () => unknown): void {
  tests.push({ name, run });
}
