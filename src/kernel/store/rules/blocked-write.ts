import { Refusal } from '#kernel/base/failures.ts';

/** Why a write cannot be decided yet. `Unblock` of the store does what is missing, and the write is decided again. */
export abstract class BlockedWrite extends Refusal {}
