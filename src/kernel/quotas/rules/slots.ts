import { quotaRefusal } from '#kernel/quotas/refusals.ts';
import { isInForce } from './bucket.ts';
import { idOfSlot, writeSlot, type Book, type Slot } from './book.ts';
import type { Acquire, Heartbeat, SessionName, Signer, SlotAnswer } from './contract.ts';

export type SlotRequest =
  | ({ readonly kind: 'acquire' } & Acquire)
  | ({ readonly kind: 'heartbeat' } & Heartbeat)
  | ({ readonly kind: 'leave' } & SessionName);

/** Holders that a conflict names, the oldest first: nobody chooses from more. */
const HOLDERS_MAX = 100;

/** Marks the purpose of a token, so that no token passes for another kind. */
const TAKEOVER = 'takeover';

/** Decides one request for a slot. A slot is free again when its time is over, without any action. */
export function decideSlot(book: Book, request: SlotRequest, signer: Signer): SlotAnswer {
  const own = book.slots.get(idOfSlot(request));
  switch (request.kind) {
    case 'acquire':
      return acquire(book, request, signer, own);
    case 'heartbeat': {
      if (own === undefined || !isLive(own, book)) return endedAnswer(own);
      const expiresAtMs = book.nowMs + request.ttlMs;
      writeSlot(book, { ...own, expiresAtMs });
      return { outcome: 'granted', expiresAtMs, inUse: liveOf(book, request).length };
    }
    case 'leave':
      if (own === undefined || !isLive(own, book)) return endedAnswer(own);
      writeSlot(book, { ...own, ended: 'left' });
      return { outcome: 'ended', because: 'left' };
  }
}

function acquire(book: Book, request: Acquire, signer: Signer, own: Slot | undefined): SlotAnswer {
  const { subject, quota, buckets, session, holder, ttlMs, takeover } = request;
  const { nowMs } = book;
  const expiresAtMs = nowMs + ttlMs;
  const live = liveOf(book, request);
  if (own !== undefined && isLive(own, book)) {
    writeSlot(book, { ...own, holder, expiresAtMs });
    return { outcome: 'granted', expiresAtMs, inUse: live.length };
  }
  const slots = buckets
    .filter((bucket) => isInForce(bucket, nowMs))
    .reduce((sum, { limit }) => sum + (limit === 'unlimited' ? Infinity : limit), 0);
  const victim = takeover === undefined ? undefined : victimOf(live, request, takeover, signer);
  const others = live.filter((slot) => slot !== victim);
  if (others.length < slots) {
    if (victim !== undefined) writeSlot(book, { ...victim, ended: 'taken-over', endedBy: holder });
    writeSlot(book, { subject, quota, session, holder, sinceMs: nowMs, expiresAtMs, ended: '', endedBy: '' });
    return { outcome: 'granted', expiresAtMs, inUse: others.length + 1 };
  }
  return {
    outcome: 'conflict',
    slots,
    inUse: live.length,
    holders: live.slice(0, HOLDERS_MAX).map((slot) => ({
      session: slot.session,
      holder: slot.holder,
      sinceMs: slot.sinceMs,
      expiresAtMs: slot.expiresAtMs,
      takeover: signer.sign(JSON.stringify([TAKEOVER, subject, quota, slot.session, slot.sinceMs])),
    })),
  };
}

/** The session that a token was given for; undefined when it has ended meanwhile. */
function victimOf(live: readonly Slot[], request: Acquire, token: string, signer: Signer): Slot | undefined {
  const payload: unknown = JSON.parse(signer.open(token) ?? 'null');
  if (
    !Array.isArray(payload) ||
    payload[0] !== TAKEOVER ||
    payload[1] !== request.subject ||
    payload[2] !== request.quota
  ) {
    throw quotaRefusal(
      'takeover-forged',
      `The takeover token was not issued to "${request.subject}" for "${request.quota}".`,
    );
  }
  return live.find(({ session, sinceMs }) => session === payload[3] && sinceMs === payload[4]);
}

function liveOf(book: Book, { subject, quota }: Pick<Slot, 'subject' | 'quota'>): readonly Slot[] {
  return [...book.slots.values()]
    .filter((slot) => slot.subject === subject && slot.quota === quota && isLive(slot, book))
    .sort((a, b) => a.sinceMs - b.sinceMs || (a.session < b.session ? -1 : 1));
}

function isLive({ ended, expiresAtMs }: Slot, { nowMs }: Book): boolean {
  return ended === '' && expiresAtMs > nowMs;
}

function endedAnswer(own: Slot | undefined): SlotAnswer {
  if (own === undefined) return { outcome: 'ended', because: 'unknown' };
  if (own.ended === '') return { outcome: 'ended', because: 'expired' };
  return { outcome: 'ended', because: own.ended, ...(own.endedBy === '' ? {} : { by: own.endedBy }) };
}
