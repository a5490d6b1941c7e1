// Loads the program of ci/nostd-check as wasm and plays its conversation. It must want nothing from outside: no clock, no randomness, no host.
import { readFileSync } from "node:fs";

const [path] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(path));
const imports = WebAssembly.Module.imports(module);
if (imports.length !== 0) {
    console.error("the module imports:", imports);
    process.exit(1);
}
const { exports } = new WebAssembly.Instance(module, {});
const check = exports.conversation();
if (check !== 0) {
    console.error(`check ${check} failed: see Check in ci/nostd-check/src/conversation.rs`);
    process.exit(1);
}
console.log("wasm32: no imports, the conversation ran, 0");
