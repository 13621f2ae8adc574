"""What the audit proves of what members share: counters of stock, appointments, offers' uses and budgets; free codes.

Stock and appointments are what orders and holds took; uses are what members keep of their offers. Neither may be more
than any version of the catalogue ever allowed. Three things cannot be proved, and nothing is said of them:

- A member forgets an offer OFFERS_KEPT_DAYS after its end, so that more uses may be counted than members keep.
- A budget is what purchases say their offers cost. It is proved only for offers that had one in every version. What an
  offer cost without a purchase is told nowhere: where there may have been such a use, the counter may say more. Where
  an offer was taken out of the catalogue for a time, or was returnable in some versions only, costs of purchases that
  came back may be in it or not.
- A counter at nothing: all that it counted may have come back.
"""
