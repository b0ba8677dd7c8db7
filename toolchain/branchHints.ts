/** Branch hints of compiled guest code, where V8 has them behind a flag. */
import { setFlagsFromString } from 'node:v8';

/**
 * To be called before the first machine is made. Later versions know branch hints without being told; an unknown flag
 * would be complained about on standard error.
 */
export function enableBranchHints(): void {
  const [major] = process.versions.v8.split('.');
  if (major === '11' || major === '12') setFlagsFromString('--experimental-wasm-branch-hinting');
}
