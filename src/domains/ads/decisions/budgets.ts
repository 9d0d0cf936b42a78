import type { LiveObject } from '#kernel/kinds/kind.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { AdSetSpec } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Campaign } from '../kinds/campaign.ts';
import type { Budget } from '../kinds/parts.ts';
import { microsOf } from '../rules/micros.ts';
import type { AdSetMoney, MoneyLimit } from './table.ts';

interface Owners {
  readonly campaign: { readonly budget?: Budget } | undefined;
  readonly advertiser: { readonly budget?: Budget; readonly zone: string; readonly currency: string } | undefined;
}

/** The limits of an ad set: its own, and those of its campaign and account. */
export function moneyOf(
  { name, namespace }: LiveObject,
  spec: AdSetSpec,
  { campaign, advertiser }: Owners,
): AdSetMoney {
  const account = liveName(Advertiser, namespace, spec.account);
  const { zone = 'UTC', currency = '' } = advertiser ?? {};
  const { daily, lifetime } = spec.budget ?? {};
  const isEven =
    spec.pacing !== 'asap' && (daily !== undefined || (lifetime !== undefined && spec.until !== undefined));
  const limits = [
    ...limitsOf(`adset ${name}`, spec.budget),
    ...limitsOf(`campaign ${liveName(Campaign, namespace, spec.campaign)}`, campaign?.budget),
    ...limitsOf(`account ${account}`, advertiser?.budget),
  ];
  const version = JSON.stringify([currency, zone, isEven, isEven && [spec.from, spec.until], limits]);
  return { account, currency, zone, limits, isEven, version };
}

/** Use is counted without limits too: the ledger is complete, and a limit that comes later finds the use before it. */
function limitsOf(owner: string, budget: Budget | undefined): readonly MoneyLimit[] {
  const { daily, lifetime } = budget ?? {};
  return [
    { owner, per: 'day', limit: daily === undefined ? 'unlimited' : microsOf(daily) },
    { owner, per: 'lifetime', limit: lifetime === undefined ? 'unlimited' : microsOf(lifetime) },
  ];
}
