import { routerContract } from "../testing/contract.ts";
import { haproxy, haproxyMissing } from "../testing/routers.ts";

routerContract(haproxy, await haproxyMissing());
