import { weeklyWindow, type WeeklyWindow } from '#kernel/audiences/language/compile-time.ts';
import { floats, integers, type Numbers } from '#kernel/base/numbers.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { Ad } from '../kinds/ad.ts';
import { AdSet, TIERS } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset, FORMATS, type AssetSpec } from '../kinds/asset.ts';
import { Campaign } from '../kinds/campaign.ts';
import { GOALS, type Goal } from '../rules/goals.ts';
import { microsOf } from '../rules/micros.ts';
import type { PodPosition } from '../rules/pack-pod.ts';
import { partsOf, type AdParts, type AdSetParts } from './ad-set-parts.ts';
import { hasCaps } from './caps.ts';
import { flightOf } from './flight.ts';
import { adHaltOf, HALTS, haltsOf, type Halt } from './halts.ts';

/** The facts of an ad set that is not compiled: enough to leave out most of those that do not fit a break. */
export interface AdSetRow {
  /** The objects themselves: what is compiled later is of the same world as the row. */
  readonly parts: AdSetParts;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly tier: number;
  readonly goal: Goal;
  readonly bid: number;
  /** Empty: its advertiser is missing. */
  readonly currency: string;
  readonly placements: ReadonlySet<string> | undefined;
  readonly categories: readonly string[];
  readonly audience: string | undefined;
  readonly ads: AdTraits;
  readonly hasCaps: boolean;
  readonly position: PodPosition;
  readonly dayParts: DayParts | undefined;
  /** All but a missing audience: that depends on more than on the parts of the ad set. */
  readonly halts: readonly Halt[];
}

/** Of the ads of an ad set that may be served: what one of them has, not always the same one. */
interface AdTraits {
  readonly formats: ReadonlySet<AssetSpec['format']>;
  readonly isOwnFile: boolean;
  readonly isNotExplicit: boolean;
  /** Of the shortest; 0 for an image. */
  readonly seconds: number;
  /** Whether all of them are as long as that. */
  readonly isOneLength: boolean;
}

/** Parts of the week, one of which an ad set needs, by the clock of the listener or, where that is unknown, of this zone. */
export interface DayParts {
  readonly windows: readonly WeeklyWindow[];
  readonly zone: string;
}

const POSITIONS: readonly PodPosition[] = ['any', 'first', 'last', 'edge'];

/** Reads what is known of an ad set without compiling it. */
export function rowOf(object: LiveObject, world: World): AdSetRow {
  const parts = partsOf(object, world);
  const spec = AdSet.spec(object);
  const advertiser = parts.advertiser && Advertiser.spec(parts.advertiser);
  const campaign = parts.campaign && Campaign.spec(parts.campaign);
  const ads = parts.ads.map(({ object: ad, asset }) => ({ spec: Ad.spec(ad), asset: asset && Asset.spec(asset) }));
  const served = ads.flatMap((ad) =>
    ad.asset === undefined || adHaltOf(ad) !== undefined ? [] : [{ ...ad, asset: ad.asset }],
  );
  const lengths = served.map(({ asset: { seconds = 0 } }) => seconds);
  return {
    parts,
    ...flightOf(spec),
    tier: TIERS.indexOf(spec.tier),
    goal: spec.goal,
    bid: microsOf(spec.bid),
    currency: advertiser?.currency ?? '',
    placements: spec.placements === undefined ? undefined : new Set(spec.placements),
    categories: advertiser?.categories ?? [],
    audience: spec.audience,
    ads: {
      formats: new Set(served.map(({ asset }) => asset.format)),
      isOwnFile: served.some(({ asset }) => asset.vastTagUri === undefined),
      isNotExplicit: served.some(({ spec: { explicit = false } }) => !explicit),
      seconds: Math.min(SECONDS_MOST, ...lengths),
      isOneLength: new Set(lengths).size === 1,
    },
    position: spec.position,
    dayParts: spec.dayParts && { windows: spec.dayParts.map(weeklyWindow), zone: advertiser?.zone ?? 'UTC' },
    hasCaps: hasCaps([spec, campaign, advertiser]),
    halts: haltsOf({
      adSet: spec,
      campaign,
      advertiser,
      hasAudience: () => true,
      ads: ads.map((ad) => adHaltOf(ad) ?? ad),
    }),
  };
}

const SECONDS_MOST = 2 ** 31 - 1;

/** Bits of `flags`. */
const GOAL_AT = 2;
const FORMATS_AT = 4;
const POSITION_AT = 10;
const HALTS_AT = 13;
const OWN_FILE = 1 << 7;
const NOT_EXPLICIT = 1 << 8;
const CAPPED = 1 << 9;
const ONE_LENGTH = 1 << 12;

/** Rows whose objects stand in one array: one of all would be moved, and marked by the garbage collector, in one step. */
const PIECE_ROWS = 1_024;

/** Objects of an ad set but those of its ads, and of each ad. */
const OWNERS = 3;
const PER_AD = 3;

/** All ad sets of a table in columns: some 100 bytes each, beside the objects themselves. */
export class AdSetRows {
  /** Of each ad set itself, its campaign and advertiser, and of each ad itself, its file and companion; of so many rows each. */
  readonly #objects: (LiveObject | undefined)[][] = [];
  /** Where those of each ad set begin. */
  readonly #starts: Numbers<Int32Array>;
  readonly #from: Numbers<Float64Array>;
  readonly #until: Numbers<Float64Array>;
  readonly #bids: Numbers<Float64Array>;
  readonly #seconds: Numbers<Int32Array>;
  readonly #flags: Numbers<Int32Array>;
  readonly #currencies: SharedColumn<string>;
  readonly #placements: SharedColumn<ReadonlySet<string> | undefined>;
  readonly #categories: SharedColumn<readonly string[]>;
  readonly #audiences: SharedColumn<string | undefined>;
  readonly #dayParts: SharedColumn<DayParts | undefined>;

  /** @param room for so many, so that they are not moved as it grows */
  constructor(room = 0) {
    this.#starts = integers(room);
    this.#from = floats(room);
    this.#until = floats(room);
    this.#bids = floats(room);
    this.#seconds = integers(room);
    this.#flags = integers(room);
    this.#currencies = new SharedColumn(room);
    this.#placements = new SharedColumn(room);
    this.#categories = new SharedColumn(room);
    this.#audiences = new SharedColumn(room);
    this.#dayParts = new SharedColumn(room);
  }

  add(row: AdSetRow): void {
    const { ads, parts } = row;
    if (this.length % PIECE_ROWS === 0) this.#objects.push([]);
    const objects = this.#objectsAt(this.length);
    this.#starts.push(objects.length);
    objects.push(parts.object, parts.campaign, parts.advertiser);
    for (const { object, asset, companion } of parts.ads) objects.push(object, asset, companion);
    this.#from.push(row.fromMs);
    this.#until.push(row.untilMs);
    this.#bids.push(row.bid);
    this.#seconds.push(ads.seconds);
    this.#currencies.add(row.currency, row.currency);
    this.#placements.add(row.placements === undefined ? '' : [...row.placements].join(' '), row.placements);
    this.#categories.add(row.categories.join(' '), row.categories);
    this.#audiences.add(row.audience ?? '', row.audience);
    this.#dayParts.add(row.dayParts === undefined ? '' : JSON.stringify(row.dayParts), row.dayParts);
    this.#flags.push(
      row.tier |
        (GOALS.indexOf(row.goal) << GOAL_AT) |
        (bitsOf(FORMATS, ads.formats) << FORMATS_AT) |
        (ads.isOwnFile ? OWN_FILE : 0) |
        (ads.isNotExplicit ? NOT_EXPLICIT : 0) |
        (row.hasCaps ? CAPPED : 0) |
        (ads.isOneLength ? ONE_LENGTH : 0) |
        (POSITIONS.indexOf(row.position) << POSITION_AT) |
        (bitsOf(HALTS, new Set(row.halts)) << HALTS_AT),
    );
  }

  /** Gives back the room for more: nothing is added any more. */
  trim(): this {
    for (const column of [this.#starts, this.#seconds, this.#flags]) column.trim();
    for (const column of [this.#from, this.#until, this.#bids]) column.trim();
    for (const column of [this.#currencies, this.#placements, this.#categories, this.#audiences]) column.trim();
    this.#dayParts.trim();
    return this;
  }

  rowAt(at: number): AdSetRow {
    return {
      parts: this.partsAt(at),
      fromMs: this.fromMsAt(at),
      untilMs: this.untilMsAt(at),
      tier: this.tierAt(at),
      goal: this.goalAt(at),
      bid: this.bidAt(at),
      currency: this.currencyAt(at),
      placements: this.placementsAt(at),
      categories: this.categoriesAt(at),
      audience: this.audienceAt(at),
      ads: {
        formats: new Set(FORMATS.filter((format) => this.hasFormat(at, format))),
        isOwnFile: this.hasOwnFile(at),
        isNotExplicit: this.hasNotExplicit(at),
        seconds: this.secondsAt(at),
        isOneLength: this.isOneLength(at),
      },
      hasCaps: this.hasCaps(at),
      position: this.positionAt(at),
      dayParts: this.dayPartsAt(at),
      halts: this.haltsAt(at),
    };
  }

  #objectsAt(at: number): (LiveObject | undefined)[] {
    return this.#objects[Math.floor(at / PIECE_ROWS)] as (LiveObject | undefined)[];
  }

  get length(): number {
    return this.#starts.length;
  }

  objectAt(at: number): LiveObject {
    return this.#objectsAt(at)[this.#starts.at(at)] as LiveObject;
  }

  partsAt(at: number): AdSetParts {
    const objects = this.#objectsAt(at);
    const start = this.#starts.at(at);
    const next = at + 1;
    const end = next < this.length && next % PIECE_ROWS > 0 ? this.#starts.at(next) : objects.length;
    const ads: AdParts[] = [];
    for (let place = start + OWNERS; place < end; place += PER_AD) {
      const [object, asset, companion] = objects.slice(place, place + PER_AD);
      ads.push({ object: object as LiveObject, asset, companion });
    }
    const [object, campaign, advertiser] = objects.slice(start, start + OWNERS);
    return { object: object as LiveObject, campaign, advertiser, ads };
  }

  fromMsAt(at: number): number {
    return this.#from.at(at);
  }

  untilMsAt(at: number): number {
    return this.#until.at(at);
  }

  bidAt(at: number): number {
    return this.#bids.at(at);
  }

  tierAt(at: number): number {
    return this.#flags.at(at) & 3;
  }

  goalAt(at: number): Goal {
    return GOALS[(this.#flags.at(at) >> GOAL_AT) & 3] as Goal;
  }

  currencyAt(at: number): string {
    return this.#currencies.at(at);
  }

  placementsAt(at: number): ReadonlySet<string> | undefined {
    return this.#placements.at(at);
  }

  categoriesAt(at: number): readonly string[] {
    return this.#categories.at(at);
  }

  audienceAt(at: number): string | undefined {
    return this.#audiences.at(at);
  }

  hasFormat(at: number, format: AssetSpec['format']): boolean {
    return (this.#flags.at(at) & (1 << (FORMATS_AT + FORMATS.indexOf(format)))) !== 0;
  }

  hasOwnFile(at: number): boolean {
    return (this.#flags.at(at) & OWN_FILE) !== 0;
  }

  hasNotExplicit(at: number): boolean {
    return (this.#flags.at(at) & NOT_EXPLICIT) !== 0;
  }

  hasCaps(at: number): boolean {
    return (this.#flags.at(at) & CAPPED) !== 0;
  }

  isOneLength(at: number): boolean {
    return (this.#flags.at(at) & ONE_LENGTH) !== 0;
  }

  positionAt(at: number): PodPosition {
    return POSITIONS[(this.#flags.at(at) >> POSITION_AT) & 3] as PodPosition;
  }

  dayPartsAt(at: number): DayParts | undefined {
    return this.#dayParts.at(at);
  }

  /** Live name of its advertiser; empty where that is missing. */
  advertiserAt(at: number): string {
    return this.#objectsAt(at)[this.#starts.at(at) + OWNERS - 1]?.name ?? '';
  }

  secondsAt(at: number): number {
    return this.#seconds.at(at);
  }

  isHalted(at: number): boolean {
    return this.#flags.at(at) >> HALTS_AT !== 0;
  }

  haltsAt(at: number): readonly Halt[] {
    const bits = this.#flags.at(at) >> HALTS_AT;
    return HALTS.filter((_, place) => (bits & (1 << place)) !== 0);
  }
}

function bitsOf<One>(all: readonly One[], some: ReadonlySet<One>): number {
  return all.reduce((bits, one, place) => (some.has(one) ? bits | (1 << place) : bits), 0);
}

/** A column of values of which many are the same: each is kept once. */
class SharedColumn<Value> {
  readonly #numbers: Numbers<Int32Array>;
  readonly #values: Value[] = [];
  readonly #known = new Map<string, number>();

  constructor(room: number) {
    this.#numbers = integers(room);
  }

  add(key: string, value: Value): void {
    let number = this.#known.get(key);
    if (number === undefined) {
      number = this.#values.length;
      this.#known.set(key, number);
      this.#values.push(value);
    }
    this.#numbers.push(number);
  }

  at(position: number): Value {
    return this.#values[this.#numbers.at(position)] as Value;
  }

  trim(): void {
    this.#numbers.trim();
    this.#known.clear();
  }
}
