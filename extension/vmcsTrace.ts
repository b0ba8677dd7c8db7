/** The command that has each VMREAD and VMWRITE told in the debug console. */
import type { Session, Sessions } from './session.js';

/** Sessions that trace now. */
const tracing = new WeakSet<Session>();

/** Begins or ends the trace of the current session; throws when there is none. */
export async function toggleVmcsTrace({ current }: Sessions): Promise<void> {
  if (!current || current.ended) throw new Error('there is no debug session');
  const enabled = !tracing.has(current);
  await current.request('hyperstep/setVmcsTrace', { enabled });
  if (enabled) tracing.add(current);
  else tracing.delete(current);
}
