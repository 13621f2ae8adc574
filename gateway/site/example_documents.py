"""The operations of the playground's examples, each over several lines and with variables."""

STATUS = """query MyStatus($entries: Int!) {
  me {
    number
    version
    status { tier { name benefits } until next { tier { name } missing ratio } }
    points { available lifetime expiring { points on } }
    activity(first: $entries) { edges { node { label points balance occurredAt why { reason } } } }
  }
}"""

LIVE = """subscription Live($after: Int) {
  memberChanged(after: $after) {
    version
    member { status { tier { name } } points { available } }
    entries { label points balance }
    resync
  }
}"""

SCAN = """query Scan($number: String!) {
  member(by: {number: $number}) {
    profile { firstName }
    status { tier { name } next { missing } }
    points { available }
  }
}"""

CARD = """query Card($number: String!) {
  member(by: {number: $number}) {
    status { tier { name benefits } next { missing } }
    points { available }
  }
}"""

PURCHASE = """mutation Purchase($input: RecordEventInput!) {
  recordEvent(input: $input) {
    replayed
    entries { points balance version }
    why { rule points applied reason }
    member { version points { available } status { tier { name } } }
    userErrors { code message path }
  }
}"""

PREVIEW = PURCHASE.replace("mutation Purchase", "mutation Preview").replace("recordEvent", "previewEvent")

ADJUST = """mutation Goodwill($input: AdjustPointsInput!) {
  adjustPoints(input: $input) {
    entries { points balance label }
    userErrors { code message }
  }
}"""

TYPE = """mutation TypePurchase($input: RecordEventInput!) {
  recordEvent(input: $input) {
    waiting
    entries { id points }
    why { reason }
    userErrors { code message path }
  }
}"""

CLAIMS = """query Claims($number: String!) {
  member(by: {number: $number}) {
    claims { entry receipt store total { amount currency } occurredAt until }
  }
}"""

DECIDE = """mutation Decide($input: DecidePendingInput!) {
  decidePending(input: $input) {
    entries { points balance label why { reason } }
    userErrors { code message path }
  }
}"""

ENROL = """mutation Enrol($input: EnrolInput!) {
  enrol(input: $input) {
    member { number version points { available } }
    replayed
    userErrors { code message path }
  }
}"""

OFFERS = """query Offers($first: Int!) {
  me {
    offers(first: $first) {
      edges { node { state why code usesLeft expiresAt offer { id kind title description direction } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""

REWARDS = """query Rewards($first: Int!) {
  me {
    points { available }
    rewards(first: $first) {
      edges { node { eligible missingPoints reasons reward { id kind title points stock direction } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""

CATALOGUE = """query Catalogue($programme: String!, $pointsMax: Int) {
  rewards(first: 20, pointsMax: $pointsMax, programme: $programme) {
    edges { node { id title category points availableFrom availableUntil } }
    pageInfo { hasNextPage endCursor }
  }
}"""

ORDER = """mutation Order($input: PlaceOrderInput!) {
  placeOrder(input: $input) {
    order { id number state points code voucher { code } history { state at note } }
    member { version points { available } }
    replayed
    userErrors { code message path }
  }
}"""

ORDERS = """query Orders($first: Int!) {
  me {
    orders(first: $first) {
      edges { node { id number state reward { title } code history { state at note } } }
    }
  }
}"""

NEWS = """subscription News($after: Int) {
  memberChanged(after: $after) {
    version
    notices { kind text direction }
    resync
  }
}"""

REDEEM = """mutation Redeem($input: RedeemOfferInput!) {
  redeemOffer(input: $input) {
    memberOffer { state usesLeft offer { title } }
    entries { label points }
    replayed
    userErrors { code message path }
  }
}"""

RELEASE_OFFER = """mutation ReleaseOffer($input: ReleaseOfferInput!) {
  releaseOffer(input: $input) {
    memberOffer { state usesLeft offer { title } }
    entries { label why { reason } }
    replayed
    userErrors { code message path }
  }
}"""

CONTENT = """mutation Content($input: SaveCatalogueItemInput!) {
  saveCatalogueItem(input: $input) {
    content { key title body version }
    replayed
    userErrors { code message path }
  }
}"""

CONTENT_LIVE = """subscription ContentLive($key: String!) {
  contentChanged(key: $key) {
    title
    body
    locale
    direction
    version
  }
}"""

PROGRAMME = """query Programme($banner: String!) {
  programme { name version currency tiers { name threshold benefits } }
  content(key: $banner) { title body }
}"""

NODE = """query ObjectById($id: ID!) {
  node(id: $id) {
    id
    ... on Reward { title points stock }
    ... on Offer { title endsAt }
  }
}"""

SHOW = """query MyPass($number: String!) {
  pass { code digits expiresAt }
  member(by: {number: $number}) { number }
}"""

CONTENT_READ = """query Banner($key: String!, $programme: String!) {
  content(key: $key, programme: $programme) {
    title
    body
    locale
    direction
  }
}"""

DEVICES = """query Tablets($first: Int!) {
  devices(first: $first) {
    edges { node { id name store state enrolledAt } }
    pageInfo { hasNextPage endCursor }
  }
}"""

WAITING = """query WaitingEvents($first: Int!) {
  waitingEvents(first: $first) {
    edges { node { type sender key waitsFor since until } }
    pageInfo { hasNextPage endCursor }
  }
}"""

SESSION = """query TabletSession($entries: Int!) {
  kioskSession {
    id
    greeting
    confirmed
    endsAt
    member { status { tier { name } } activity(first: $entries) { edges { node { label points } } } }
  }
}"""

BATCH = """mutation Batch($input: [RecordEventInput!]!) {
  recordEvents(input: $input) {
    replayed
    entries { points balance label }
    userErrors { code message path }
  }
}"""

CONSENTS = """mutation Consents($input: SetConsentsInput!) {
  setConsents(input: $input) {
    member { version points { available } }
    replayed
    userErrors { code message path }
  }
}"""

PREFERENCES = """mutation Preferences($input: SetPreferencesInput!) {
  setPreferences(input: $input) {
    member { version points { available } }
    replayed
    userErrors { code message path }
  }
}"""

PROFILE = """mutation Profile($input: UpdateProfileInput!) {
  updateProfile(input: $input) {
    member { version profile { nickname timeZone completion } }
    replayed
    userErrors { code message path }
  }
}"""

ADD_CARD = """mutation AddCard($input: AddCardInput!) {
  addCard(input: $input) {
    member { version }
    replayed
    userErrors { code message path }
  }
}"""

REMOVE_CARD = """mutation RemoveCard($input: RemoveCardInput!) {
  removeCard(input: $input) {
    member { version }
    replayed
    userErrors { code message path }
  }
}"""

ACTIVATE = """mutation Activate($input: ActivateOfferInput!) {
  activateOffer(input: $input) {
    memberOffer { state usesLeft offer { title } }
    replayed
    userErrors { code message path }
  }
}"""

NOTE = """mutation Seen($input: NoteOffersInput!) {
  noteOffers(input: $input) {
    member { version points { available } }
    replayed
    userErrors { code message path }
  }
}"""

HOLD = """mutation Hold($input: HoldInput!) {
  hold(input: $input) {
    hold { id points expiresAt }
    member { points { available held } }
    replayed
    userErrors { code message path }
  }
}"""

RELEASE = """mutation Release($input: ReleaseInput!) {
  release(input: $input) {
    member { points { available held } }
    replayed
    userErrors { code message path }
  }
}"""

CANCEL = """mutation CancelOrder($input: CancelOrderInput!) {
  cancelOrder(input: $input) {
    order { number state }
    member { version points { available } }
    replayed
    userErrors { code message path }
  }
}"""

ADVANCE = """mutation AdvanceOrder($input: AdvanceOrderInput!) {
  advanceOrder(input: $input) {
    order { number state history { state at note } }
    replayed
    userErrors { code message path }
  }
}"""

VOUCHERS = """query MyVouchers($first: Int!) {
  me {
    orders(first: $first) {
      edges { node { number state reward { title } voucher { code expiresAt usedAt worth { amount currency } } } }
    }
  }
}"""

USED_LIVE = """subscription PassUsed {
  passUsed
}"""

APP_CODE = """query ReadPass($by: MemberKey!) {
  member(by: $by) {
    number
    status { tier { name } }
    points { available }
  }
}"""

FIND_ORDER = """query FindOrder($by: OrderKey!) {
  order(by: $by) {
    number
    state
    reward { title }
    voucher { usedAt usedAtStore worth { amount currency } }
  }
}"""

REDEEM_VOUCHER = """mutation RedeemVoucher($input: RedeemVoucherInput!) {
  redeemVoucher(input: $input) {
    order { number state voucher { usedAt usedAtStore } }
    replayed
    userErrors { code message path }
  }
}"""

INVITE = """mutation InviteTablet($input: InviteDeviceInput!) {
  inviteDevice(input: $input) {
    device { id name state }
    code
    codeExpiresAt
    replayed
    userErrors { code message path }
  }
}"""

ENROL_DEVICE = """mutation EnrolTablet($input: EnrolDeviceInput!) {
  enrolDevice(input: $input) {
    device { id name state }
    token
    replayed
    userErrors { code message path }
  }
}"""

REVOKE = """mutation RevokeTablet($input: RevokeDeviceInput!) {
  revokeDevice(input: $input) {
    device { id name state }
    replayed
    userErrors { code message path }
  }
}"""

OPEN = """mutation OpenSession($input: OpenSessionInput!) {
  openSession(input: $input) {
    session { greeting confirmed member { points { available } } }
    token
    replayed
    userErrors { code message path }
  }
}"""

CONFIRM = """mutation ConfirmSession($input: ConfirmSessionInput!) {
  confirmSession(input: $input) {
    session { greeting confirmed member { points { available } } }
    replayed
    userErrors { code message path }
  }
}"""

END = """mutation EndSession($input: EndSessionInput!) {
  endSession(input: $input) {
    session { greeting confirmed }
    replayed
    userErrors { code message path }
  }
}"""

RETIRE = """mutation Retire($input: RetireCatalogueItemInput!) {
  retireCatalogueItem(input: $input) {
    version
    replayed
    userErrors { code message path }
  }
}"""
