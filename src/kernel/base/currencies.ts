/**
 * The currencies of ISO 4217 and their minor units (decimals).
 *
 * CLDR, and so `Intl`, counts the decimals that people see in shops: HUF 0, IDR 0, IQD 0. Payment providers and ledgers
 * count those of ISO 4217: HUF 2, IDR 2, IQD 3. Sixteen currencies differ, so the number is our data.
 * Metals, test codes and units of account without minor units (XAU, XTS, XDR) are not here: nothing is priced in them.
 */
const CODES_BY_MINOR_DIGITS: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2:
    'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD ' +
    'CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP ' +
    'GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL ' +
    'MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN ' +
    'QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD ' +
    'TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};

/**
 * Currencies that were withdrawn (list three of ISO 4217), so that the history of prices can be brought along; with the
 * minor units that they had in the end.
 */
const WITHDRAWN_BY_MINOR_DIGITS: Readonly<Record<number, string>> = {
  0: 'BEF BYR ESP GRD GWP ITL LUF MGF PTE TPE TRL',
  2:
    'ATS AZM BGL BYB CSD CYP DEM EEK FIM FRF GHC HRK IEP LTL LVL MRO MTL MZM NLG ROL RUR SDD SIT SKK SLL SRG STD ' +
    'TMM UAK VEB VEF YUM ZMK ZWD ZWL ZWN ZWR',
};

const codesWithDigits = (byDigits: Readonly<Record<number, string>>): readonly (readonly [string, number])[] =>
  Object.entries(byDigits).flatMap(([digits, codes]) =>
    codes.split(' ').map((code) => [code, Number(digits)] as const),
  );

/** Currencies out of circulation: a market may have them until a date. */
export const WITHDRAWN: ReadonlySet<string> = new Set(codesWithDigits(WITHDRAWN_BY_MINOR_DIGITS).map(([code]) => code));

/** Minor digits by currency code. */
export const CURRENCIES: ReadonlyMap<string, number> = new Map([
  ...codesWithDigits(CODES_BY_MINOR_DIGITS),
  ...codesWithDigits(WITHDRAWN_BY_MINOR_DIGITS),
]);

/** No currency has more decimals than this, and no channel may declare more. */
export const MINOR_DIGITS_MAX = 4;
