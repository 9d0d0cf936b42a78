import { createCipheriv, createDecipheriv, createHmac, randomFillSync } from 'node:crypto';
import { adRefusal } from '../refusals.ts';
import type { Goal } from '../rules/goals.ts';

const CIPHER = 'aes-256-gcm';
const DECISION_BYTES = 16;
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Places of a break are fewer. */
const PLACE_MAX = 99;

export const TOKEN_LIMITS = {
  /** Of a token in a URL: five names and eight ids of 253 characters and a page of 2,000 fit, where they are Latin. */
  charsMax: 12_000,
  /** How long its events are counted: a player may fetch a break early, or report it when it is online again. */
  lifetimeMs: 24 * 3_600_000,
} as const;

/** The listener that an ad was served to, as the question named them. */
export interface AdSubject {
  readonly listener?: string | undefined;
  readonly household?: string | undefined;
  readonly device?: string | undefined;
  readonly session?: string | undefined;
  readonly plan?: string | undefined;
  readonly market?: string | undefined;
  readonly territory?: string | undefined;
  readonly role?: string | undefined;
}

/** All that is known of an ad in an answer when its events come: nothing in it comes from the player. */
export interface AdToken {
  /** 128 bits as hex, the same for all ads of a break. */
  readonly decision: string;
  /** Its place in the break, from 0. */
  readonly place: number;
  /** Live names. */
  readonly ad: string;
  readonly adSet: string;
  readonly campaign: string;
  readonly advertiser: string;
  readonly placement: string;
  readonly subject: AdSubject;
  /** The feature whose holders get no ad. */
  readonly adFreeFeature: string;
  readonly goal: Goal;
  /** Price of the event of the goal, in micro-units of the currency. */
  readonly micros: number;
  readonly currency: string;
  /** The slice of the budget that the price is reserved in; absent: it is not reserved. */
  readonly slice?: string | undefined;
  /** Until when, by the time of the database. */
  readonly reservedUntilMs: number;
  readonly issuedMs: number;
  readonly expiresMs: number;
  readonly seconds: number;
  readonly clickThrough?: string | undefined;
  /** Whether events may name the listener. */
  readonly mayProfile: boolean;
}

const SUBJECT_FIELDS = [
  'listener',
  'household',
  'device',
  'session',
  'plan',
  'market',
  'territory',
  'role',
] as const satisfies readonly (keyof AdSubject)[];

/** The slice of a reservation at its longest. */
const SLICE_CHARS_MAX = 253;
/** Of a token whose text is as long as it may be. */
const SEALED_BYTES_MAX = Math.floor((TOKEN_LIMITS.charsMax * 3) / 4) - DECISION_BYTES - IV_BYTES - TAG_BYTES;

/** Of the longest token whose ad, break and listener have no names. */
const NAMELESS_BYTES = bytesOf(
  partsOf({
    placement: '',
    subject: {},
    adFreeFeature: '',
    decision: '',
    place: PLACE_MAX,
    ad: '',
    adSet: '',
    campaign: '',
    advertiser: '',
    goal: 'cpcv',
    micros: Number.MAX_SAFE_INTEGER,
    currency: 'EUR',
    slice: 'x'.repeat(SLICE_CHARS_MAX),
    reservedUntilMs: Number.MAX_SAFE_INTEGER,
    issuedMs: Number.MAX_SAFE_INTEGER,
    expiresMs: Number.MAX_SAFE_INTEGER,
    seconds: Number.MAX_SAFE_INTEGER,
    clickThrough: '',
    mayProfile: true,
  }),
);

/** Bytes that an ad may take in the tokens of a break, see `tokenBytesOf`. Its ids may leave nothing: then it is negative. */
export function adBytesMax({
  placement,
  subject,
  adFreeFeature,
}: Pick<AdToken, 'placement' | 'subject' | 'adFreeFeature'>): number {
  const ofBreak = bytesOf([placement, adFreeFeature, ...subjectParts(subject)]);
  return SEALED_BYTES_MAX - NAMELESS_BYTES - (ofBreak - NAMELESS_BREAK_BYTES);
}

const NAMELESS_BREAK_BYTES = bytesOf(['', '', ...subjectParts({})]);

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Chance that is asked of the system for many tokens at once: each call costs more than its bytes. */
const CHANCE = { bytes: Buffer.alloc(4_096), at: 4_096 };

/** Random bytes, to be read before the next call. */
function takeChance(count: number): Buffer {
  if (CHANCE.at + count > CHANCE.bytes.length) {
    randomFillSync(CHANCE.bytes);
    CHANCE.at = 0;
  }
  CHANCE.at += count;
  return CHANCE.bytes.subarray(CHANCE.at - count, CHANCE.at);
}

export function newDecisionId(): string {
  return takeChance(DECISION_BYTES).toString('hex');
}

/**
 * Seals tokens for the players that get them: they can neither read nor alter them. A token is
 * `BASE64URL(decision, iv, sealed, tag)`. Every decision has a key of its own, made of the secret and its id, so that
 * random nonces never run out for a key.
 */
export interface TokenBox {
  readonly seal: (token: AdToken) => string;
  /** Throws a Refusal for a token that was not sealed here. Does not look at its times. */
  readonly open: (text: string) => AdToken;
}

export function tokenBox(secret: Buffer): TokenBox {
  const keyOf = (decision: Buffer): Buffer => createHmac('sha256', secret).update(decision).digest();
  // The tokens of a break are sealed one after the other.
  let last: { readonly id: string; readonly decision: Buffer; readonly key: Buffer } | undefined;
  return {
    seal: (token) => {
      if (token.decision !== last?.id) {
        const decision = Buffer.from(token.decision, 'hex');
        last = { id: token.decision, decision, key: keyOf(decision) };
      }
      const { decision, key } = last;
      const iv = takeChance(IV_BYTES);
      const cipher = createCipheriv(CIPHER, key, iv);
      const text = cipher.update(JSON.stringify(partsOf(token)), 'utf8');
      // Nothing is left of a stream cipher.
      cipher.final();
      return Buffer.concat([decision, iv, text, cipher.getAuthTag()]).toString('base64url');
    },
    open: (text) => {
      if (text.length > TOKEN_LIMITS.charsMax) {
        throw adRefusal(
          'bad-token',
          `The token has ${text.length} characters; none has over ${TOKEN_LIMITS.charsMax}.`,
        );
      }
      const bytes = Buffer.from(text, 'base64url');
      const sealedFrom = DECISION_BYTES + IV_BYTES;
      // One text for one token: base64url reads many spellings of the same bytes.
      if (bytes.length < sealedFrom + TAG_BYTES || bytes.toString('base64url') !== text) throw brokenToken();
      const decision = bytes.subarray(0, DECISION_BYTES);
      const decipher = createDecipheriv(CIPHER, keyOf(decision), bytes.subarray(DECISION_BYTES, sealedFrom), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      let opened: Buffer;
      try {
        opened = Buffer.concat([decipher.update(bytes.subarray(sealedFrom, -TAG_BYTES)), decipher.final()]);
      } catch {
        throw brokenToken();
      }
      return tokenOf(decision.toString('hex'), JSON.parse(opened.toString()) as TokenParts);
    },
  };
}

function brokenToken() {
  return adRefusal('bad-token', 'The token is not one of this installation, or parts of it are missing.');
}

/** Members without their names: a token stands in every link of an ad. */
type TokenParts = readonly [
  place: number,
  names: readonly [ad: string, adSet: string, campaign: string, advertiser: string, placement: string],
  subject: readonly (string | null)[],
  adFreeFeature: string,
  price: readonly [Goal, micros: number, currency: string, slice: string | null, reservedUntilMs: number],
  times: readonly [issuedMs: number, expiresMs: number, seconds: number],
  clickThrough: string | null,
  mayProfile: 0 | 1,
];

function subjectParts(subject: AdSubject): readonly (string | null)[] {
  return SUBJECT_FIELDS.map((field) => subject[field] ?? null);
}

function partsOf(token: AdToken): TokenParts {
  const { place, ad, adSet, campaign, advertiser, placement, subject, adFreeFeature } = token;
  const { goal, micros, currency, slice, reservedUntilMs, issuedMs, expiresMs, seconds } = token;
  return [
    place,
    [ad, adSet, campaign, advertiser, placement],
    subjectParts(subject),
    adFreeFeature,
    [goal, micros, currency, slice ?? null, reservedUntilMs],
    [issuedMs, expiresMs, seconds],
    token.clickThrough ?? null,
    token.mayProfile ? 1 : 0,
  ];
}

function tokenOf(decision: string, given: TokenParts): AdToken {
  const [place, names, subject, adFreeFeature, price, times, clickThrough, mayProfile] = given;
  const [ad, adSet, campaign, advertiser, placement] = names;
  const [goal, micros, currency, slice, reservedUntilMs] = price;
  const [issuedMs, expiresMs, seconds] = times;
  return {
    decision,
    place,
    ad,
    adSet,
    campaign,
    advertiser,
    placement,
    subject: Object.fromEntries(
      SUBJECT_FIELDS.flatMap((field, index) => {
        const value = subject[index] ?? null;
        return value === null ? [] : [[field, value]];
      }),
    ),
    adFreeFeature,
    goal,
    micros,
    currency,
    ...(slice === null ? {} : { slice }),
    reservedUntilMs,
    issuedMs,
    expiresMs,
    seconds,
    ...(clickThrough === null ? {} : { clickThrough }),
    mayProfile: mayProfile === 1,
  };
}
