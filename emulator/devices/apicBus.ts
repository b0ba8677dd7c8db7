/** What local APICs and IO-APICs send each other (SDM 3A 11.6 and 11.10). */
import { DeliveryMode } from './apicRegisters.js';

export interface InterruptMessage {
  /** APIC ID, or with `logical` a set of logical IDs. */
  readonly destination: number;
  readonly logical: boolean;
  /** The destination is 8 bits wide, and 0xFF is everybody (x2APIC: 32 bits). */
  readonly wide: boolean;
  readonly mode: number;
  readonly vector: number;
  readonly levelTriggered: boolean;
}

/** A local APIC, as senders see it. */
export interface InterruptReceiver {
  readonly id: number;
  /** Is it among the destinations of this message? */
  isAddressed(message: InterruptMessage): boolean;
  /** The lower, the likelier it gets an interrupt of lowest priority. */
  arbitrationPriority(): number;
  accept(message: InterruptMessage): void;
}

export class ApicBus {
  readonly receivers: InterruptReceiver[] = [];
  private readonly endOfInterrupt: ((vector: number) => void)[] = [];

  /** An IO-APIC hears of every EOI of a level-triggered interrupt. */
  onEndOfInterrupt(listener: (vector: number) => void): void {
    this.endOfInterrupt.push(listener);
  }

  broadcastEndOfInterrupt(vector: number): void {
    for (const listener of this.endOfInterrupt) listener(vector);
  }

  /** Delivers to everybody addressed; to one of them when the mode is lowest priority. */
  send(message: InterruptMessage): void {
    this.sendTo(
      this.receivers.filter((receiver) => receiver.isAddressed(message)),
      message,
    );
  }

  sendTo(receivers: readonly InterruptReceiver[], message: InterruptMessage): void {
    if (message.mode !== DeliveryMode.LOWEST_PRIORITY || receivers.length === 0) {
      for (const receiver of receivers) receiver.accept(message);
      return;
    }
    const best = receivers.reduce((least, receiver) =>
      receiver.arbitrationPriority() < least.arbitrationPriority() ? receiver : least,
    );
    best.accept({ ...message, mode: DeliveryMode.FIXED });
  }
}
