/** Base64 by what Node and browsers have in common. */
import { RequestError } from '../session/requestError.js';

/** Arguments that one call takes without trouble. */
const CHUNK = 0x2000;

export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(text);
}

/** Throws an Error with a user's message. */
export function decodeBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw new RequestError('the data to write is not base64');
  }
}
