# Settings: bills that are fetched by themselves.
fetching-title = Fetch bills
fetching-lead = Tillwatch can fetch the bills of WeChat Pay and Alipay by itself: every day after 10:00 Beijing time, those of the day before, and days that were missed. Nothing is fetched until you switch it on, and then nobody but these two is called.
fetching-lead-files = Bills can be imported by hand as well; a bill that comes both ways is one bill.
fetching-none = No account is set up yet. Choose your provider below.
fetching-on = Switched on
fetching-off = Switched off
fetching-no-key = Credentials deleted
fetching-store = Store
fetching-account-wechat_pay = Merchant id (商户号)
fetching-account-alipay = App id (APPID)
fetching-serial = Certificate serial number
fetching-fingerprint = Private key
fetching-platform = Provider's public key
fetching-changed = Last changed
fetching-sealed = kept sealed; fingerprint { $fingerprint }
fetching-kinds = Kinds of bill
fetching-first-day = From this day on
fetching-first-day-hint = WeChat Pay has bills of the last three months; of Alipay up to a year is fetched.
fetching-first-day-wrong = Choose a day before today that the provider still has
fetching-kinds-wrong = Choose at least one kind of bill
fetching-switch-on = Save and switch on
fetching-switch-off = Switch off
fetching-test = Test now
fetching-test-hint = Fetches the newest day's bills at once and imports them, whether switched on or not.
fetching-again = Try everything again
fetching-forget = Delete credentials
fetching-forget-hint = Deletes the private key and switches off. Imported bills stay.
fetching-tested = Result of the test
fetching-tested-off = The account is switched off: nothing asks again until you switch it on or test again.
fetching-tested-running = Still being fetched. Reload this page in a minute.

bill-kind-trade = Trade bill
bill-kind-fund_basic = Fund-flow bill, basic account
bill-kind-fund_operation = Fund-flow bill, operation account
bill-kind-fund_fees = Fund-flow bill, fees account
bill-kind-account = Account bill

fetch-state-fetched = Fetched
fetch-state-no_activity = No activity
fetch-state-no_bill = No bill
fetch-state-waiting = Waiting
fetch-state-failed = Failed
fetching-days = Last 30 days
fetching-days-about = By the provider's own days, in Beijing time. “–”: not on the list.
fetching-day = Day
fetching-import = Import { $id }
fetching-troubles = What to do
fetching-no-troubles = Every bill of the last 30 days is here.
fetching-nothing-yet = Nothing was fetched yet.
fetching-exception = There is no bill for this day, but { $n ->
    [one] one payment
   *[other] { $n } payments
  } of it are known here. Look at the provider's platform: a bill that comes late is fetched with “{ fetching-again }”.
fetching-tries = { $n ->
    [one] one try
   *[other] { $n } tries
  }
fetching-next = next try { $at }
fetching-more = and { $n } more

fetching-new = Set up an account
fetching-replace-hint = The same account again replaces its credentials.
fetching-private-key = Private key
fetching-key-once = It is sealed at once and never shown again, to nobody.
fetching-save = Save credentials

fetching-wechat-steps = Where to find it in the WeChat Pay merchant platform (pay.weixin.qq.com)
fetching-wechat-step-1 = Merchant id: Account center → Merchant information (账户中心 → 商户信息), ten digits.
fetching-wechat-step-2 = Certificate serial number: Account center → API security → Merchant API certificate → Manage (账户中心 → API安全 → 商户API证书 → 管理证书), 40 characters.
fetching-wechat-step-3 = Private key: the file apiclient_key.pem that the certificate tool made together with that certificate. Open it as text and copy everything. It is the secret: paste it here and nowhere else.
fetching-wechat-step-4 = WeChat Pay's public key: Account center → API security → WeChat Pay public key (微信支付公钥). Copy the id (PUB_KEY_ID_…) and download the file. If your account still has platform certificates, paste those instead and leave the id empty.
fetching-wechat-step-5 = The APIv3 key and the API certificate itself are not needed.
fetching-platform-id = Id of WeChat Pay's public key
fetching-platform-id-hint = Begins with PUB_KEY_ID_; empty for platform certificates.
fetching-platform-keys-wechat = WeChat Pay's public key or platform certificates

fetching-alipay-steps = Where to find it on Alipay's open platform (open.alipay.com)
fetching-alipay-step-1 = App id: Console → your application (控制台 → 我的应用), 16 digits. The application must be bound to the merchant account whose bills you want.
fetching-alipay-step-2 = Signature: Development settings → Interface signing (开发设置 → 接口加签方式), choose key mode (密钥), RSA2. Certificate mode is not supported.
fetching-alipay-step-3 = Private key: Alipay's key tool wrote it when it made the pair (应用私钥). Paste the whole text.
fetching-alipay-step-4 = Alipay's public key: shown there once the application's public key was uploaded (支付宝公钥). Mind that it is not the application's own public key.
fetching-alipay-step-5 = Alipay gives bills out over plain http at dwbillcenter.alipay.com. Their content is checked by its own totals only.
fetching-platform-keys-alipay = Alipay's public key

fetching-account-wrong = Digits only, as the provider shows it
fetching-serial-wrong = 40 characters, 0 to 9 and A to F
fetching-key-too_long = Longer than any key
fetching-key-unreadable = This is no key: paste the whole text of the file
fetching-key-encrypted = This private key is protected by a password. Paste it without one: openssl pkcs8 -in key.pem -out plain.pem
fetching-key-public = This is a public key or a certificate. The private key is needed here
fetching-key-private = This is a private key. The provider's public key is needed here; if you sent the private key to anybody, make a new one
fetching-key-unusable = Not an RSA key of 2048 bits or more
fetching-key-own = This is the public half of your own key. The provider's public key is needed here
fetching-key-no_id = A public key needs its id
fetching-key-too_many = More keys than a provider has
