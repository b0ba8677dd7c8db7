/** Every cold instruction but those of VMX, by semantics name. */
import { controlRegisterInstructions } from './controlRegisters.js';
import { cpuidInstructions } from './cpuid.js';
import { debugRegisterInstructions } from './debugRegisters.js';
import { fastCallInstructions } from './fastCalls.js';
import { flagInstructions } from './flags.js';
import { portInstructions } from './io.js';
import { mxcsrInstructions } from './mxcsr.js';
import { segmentInstructions } from './segments.js';
import type { ColdTable } from './semantics.js';
import { portStringInstructions } from './portStrings.js';
import { systemInstructions } from './system.js';
import { timeStampInstructions } from './timeStamp.js';
import { transferInstructions } from './transfers.js';

export const coldInstructions: ColdTable = {
  ...controlRegisterInstructions,
  ...cpuidInstructions,
  ...debugRegisterInstructions,
  ...fastCallInstructions,
  ...flagInstructions,
  ...portInstructions,
  ...mxcsrInstructions,
  ...segmentInstructions,
  ...portStringInstructions,
  ...systemInstructions,
  ...timeStampInstructions,
  ...transferInstructions,
};
