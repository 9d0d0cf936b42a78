import { durationText, vastDocument, type VastAd, type VastParts } from './vast.ts';
import { element } from './xml.ts';

export interface VmapBreak {
  readonly offsetSeconds: number;
  readonly ads: readonly VastAd[];
}

/** A VMAP 1.0.1 document (IAB, 2014): when breaks begin, each with its VAST. A break without ads is left out. */
export function vmapDocument(breaks: readonly VmapBreak[], parts: VastParts): string {
  const all = breaks.flatMap(({ offsetSeconds, ads }, index) => {
    if (ads.length === 0) return [];
    const vast = vastDocument(ads, parts).replace(/^<\?xml[^>]*\?>/, '');
    return element(
      'vmap:AdBreak',
      {
        timeOffset: offsetSeconds === 0 ? 'start' : durationText(offsetSeconds),
        breakType: 'linear',
        breakId: `break-${index + 1}`,
      },
      element(
        'vmap:AdSource',
        { id: `break-${index + 1}`, allowMultipleAds: 'true', followRedirects: 'true' },
        element('vmap:VASTAdData', {}, vast),
      ),
    );
  });
  const attributes = { 'xmlns:vmap': 'http://www.iab.net/videosuite/vmap', version: '1.0' };
  return `<?xml version="1.0" encoding="UTF-8"?>${element('vmap:VMAP', attributes, ...all)}`;
}
