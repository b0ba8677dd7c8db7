/** Memory references of the protocol: an address in a world, `guest:0x100000`. */
import type { World } from '../../emulator/machine/machineTypes.js';
import { RequestError } from '../session/requestError.js';

export interface Reference {
  readonly world: World;
  readonly address: bigint;
}

export const formatReference = (world: World, address: bigint): string =>
  `${world}:0x${address.toString(16)}`;

/** A reference of ours, or a plain number in the default world. Throws an Error with a user's message. */
export function parseReference(text: string, defaultWorld: World): Reference {
  const match = /^(?:(root|guest):)?(0x[0-9a-f]+|\d+)$/i.exec(text.trim());
  if (!match) throw new RequestError(`"${text}" is no address`);
  const world = match[1] === 'root' || match[1] === 'guest' ? match[1] : defaultWorld;
  return { world, address: BigInt.asUintN(64, BigInt(match[2])) };
}
