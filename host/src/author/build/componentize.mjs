// Makes a component of a JavaScript policy: `node --input-type=module - ENTRY WIT WORLD OUT`, in the project's directory.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const PACKAGE = '@bytecodealliance/componentize-js';
// What the host tells from a policy that does not compile.
const NO_PACKAGE = 66;

const [entry, wit, world, out] = process.argv.slice(2);

/** The package of the project, or the one that is installed globally. */
async function componentizer() {
  try {
    return await import(PACKAGE);
  } catch (error) {
    // A package that it imports in its turn may be what is missing.
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    if (!error.message.includes(`'${PACKAGE}'`)) {
      console.error(error.message);
      process.exit(NO_PACKAGE);
    }
  }
  try {
    const root = join(execFileSync('npm', ['root', '-g'], { encoding: 'utf8', stdio: 'pipe' }).trim(), PACKAGE);
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    return await import(pathToFileURL(join(root, exports.import)).href);
  } catch {
    process.exit(NO_PACKAGE);
  }
}

const { componentize } = await componentizer();
try {
  const { component } = await componentize({
    sourcePath: entry,
    witPath: wit,
    worldName: world,
    // What a policy has besides the contract is nothing. `stdio` stays, so that an author can print and the engine can say
    // why it ends: the host seals what it imports of WASI, and logs what is printed.
    disableFeatures: ['random', 'clocks', 'http', 'fetch-event'],
  });
  writeFileSync(out, component);
} catch (error) {
  // The engine has told on stderr what is wrong with the source; a stack of the tool's own says nothing to its author.
  console.error(error.message);
  process.exit(1);
}
