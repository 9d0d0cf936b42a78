import type { Database } from '#kernel/postgres/database.ts';

/** Accounts that a process remembers. */
const ACCOUNTS_MAX = 100_000;

/** In which currency the ledger of each account counts: an account that is deleted and declared again may have another one. */
export interface LedgerCurrencies {
  /** That of the ledger; it begins in this one where there is none yet. Empty is none: the account is missing. */
  readonly find: (account: string, currency: string) => Promise<string>;
}

export function openLedgerCurrencies({ query }: Database): LedgerCurrencies {
  const known = new Map<string, string>();
  return {
    find: async (account, currency) => {
      if (currency === '') return '';
      const found = known.get(account) ?? (await begin(account, currency));
      if (known.size >= ACCOUNTS_MAX) known.clear();
      known.set(account, found);
      return found;
    },
  };

  async function begin(account: string, currency: string): Promise<string> {
    const inserted = await query<{ currency: string }>({
      name: 'begin-ad-ledger',
      text: `insert into backline.ad_accounts (account, currency) values ($1, $2)
        on conflict (account) do nothing returning currency`,
      values: [account, currency],
    });
    if (inserted[0] !== undefined) return inserted[0].currency;
    const [row] = await query<{ currency: string }>({
      name: 'read-ad-ledger-currency',
      text: 'select currency from backline.ad_accounts where account = $1',
      values: [account],
    });
    return row?.currency ?? currency;
  }
}
