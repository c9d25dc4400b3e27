"""Sample invoice databases, as messy as real ones, whose truth is known.

They exist to measure: how fast a run is, and how well the records of one person are found again. Everything
derives from hashes of (seed, purpose, person or row): the same arguments give the same rows on every
machine, whatever the batch size, and only some numbers a row are held in memory. (`numpy.random` does not
promise the same numbers in every version.) Nothing is anybody's data: names are random pairings of common
ones, digits are random, mail domains end in the reserved `.example`.

Shares, of rows unless said otherwise:

people      25 % are further rows of somebody seen before, 1 to 6 rows a person, a tenth of them at another
            company; 1.2 % are nobody (`test`, `NA`, 'Reception'), each a person of its own in the truth
links       3 % of the further rows share neither mobile nor personal mailbox with an earlier row; most of
            them still have company and name in common, exactly or nearly. The others, 0.7 % of the true
            pairs, are beyond anyone.
strangers   namesakes, as names are skewed, also within big companies; 3 % of the people share a mobile or a
            mailbox with a relative or colleague; 0.1 % have a number that was somebody else's; role
            mailboxes, switchboards, and the one mailbox of a small company without a domain are used by many
names       9 % upper and 5 % lower case, 4 % a typo, 5 % not in the person's own spelling, 20 % with initials
            (most in South India), 5 % swapped, 5 % the given name only, 12 % an honorific, 2 % a tail (` ji`,
            `(Owner)`), 6 % odd spaces, 1.3 % in a script of their own, 2 % with accents, 0.3 % mojibake
phones      7 % none, 3 % junk, 1.5 % invalid, 20 % several, 3 % with a slip (a wrong digit, an O for a 0);
            0.2 % in other digits; about 82 % Indian, the others of 36 country codes
e-mails     20 % none, 3 % junk, 15 % several, 3 % with a slip (a mistyped domain, no @), 7 % with capitals
the rest    0.06 % a control character, 0.02 % a field of 2,000 characters, 0.1 % a date of 1900 or 9999,
            0.8 % without a customer and 0.5 % with one that does not exist
"""

from ledgerline.sources.sample.tables import SampleBatch, customers, generate

__all__ = ["SampleBatch", "customers", "generate"]
