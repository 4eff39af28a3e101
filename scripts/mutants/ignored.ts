/** Mutants that no test can notice, because the program does the same with them: by file and name, each group with its reason. */
export const ignored: readonly { readonly file: string; readonly why: string; readonly mutants: readonly string[] }[] = [];
