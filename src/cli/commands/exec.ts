import { insideVerb } from "../inside/verb.ts";

const verb = insideVerb({
  isFresh: false,
  process: "in an instance of this process",
  help: "Exits as the command does. Examples:\n  drover exec shop\n  drover exec shop --process worker -- ls -la",
});

export default {
  ...verb,
  configure: (command) => {
    verb.configure(command);
    command.option("--instance <name>", "in this instance, such as web.3.k3f9b");
  },
} satisfies typeof verb;
