import { routerContract } from "../testing/contract.ts";
import { embedded } from "../testing/routers.ts";

routerContract(embedded);
