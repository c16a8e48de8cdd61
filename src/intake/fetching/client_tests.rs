use super::*;

#[test]
fn gateways_are_the_providers_a_sandbox_or_this_machine() {
    assert_eq!(Gateways::at(None, None), Ok(Gateways::default()));
    assert!(Gateways::at(Some("https://api.mch.weixin.qq.com/"), Some(ALIPAY_SANDBOX)).is_ok());
    assert!(Gateways::at(Some("http://127.0.0.1:9"), Some("http://127.0.0.1:9/gateway.do")).is_ok());
    for elsewhere in [
        "https://api.mch.weixin.qq.com.evil.example",
        "http://api.mch.weixin.qq.com",
        "http://localhost:9",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.example",
        "file:///etc/passwd",
        "",
    ] {
        assert_eq!(Gateways::at(Some(elsewhere), None), Err(NoGateway), "{elsewhere}");
        assert_eq!(Gateways::at(None, Some(elsewhere)), Err(NoGateway), "{elsewhere}");
    }
}

#[test]
fn bills_are_fetched_from_the_providers_hosts_alone() {
    let real = Gateways::default();
    let local = Gateways::at(Some("http://127.0.0.1:9"), Some("http://127.0.0.1:9/gateway.do")).unwrap();
    let sandbox = Gateways::at(None, Some(ALIPAY_SANDBOX)).unwrap();
    assert!(real.wechat_pay_download("https://api.mch.weixin.qq.com/v3/billdownload/file?token=x").is_ok());
    for address in ["http://dwbillcenter.alipay.com/x?y=z", "https://dwbillcenter.alipay.com/x"] {
        assert!(real.alipay_download(address).is_ok());
        assert!(sandbox.alipay_download(address).is_ok());
        assert!(real.wechat_pay_download(address).is_err());
    }
    assert!(local.wechat_pay_download("http://127.0.0.1:9/file").is_ok());
    assert!(local.alipay_download("http://127.0.0.1:9/file").is_ok());
    assert!(sandbox.alipay_download("http://dwbillcenter.alipaydev.com/x").is_ok());
    for elsewhere in [
        "http://api.mch.weixin.qq.com/v3/billdownload/file",
        "https://api.mch.weixin.qq.com:8443/x",
        "https://user@api.mch.weixin.qq.com/x",
        "https://api.mch.weixin.qq.com@evil.example/x",
        "https://dwbillcenter.alipay.com.evil.example/x",
        "https://dwbillcenter.alipaydev.com/x",
        "http://dwbillcenter.alipay.com:81/x",
        "ftp://dwbillcenter.alipay.com/x",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:9/x",
        "http://[::1]/x",
        "//x",
        "",
    ] {
        assert!(matches!(real.wechat_pay_download(elsewhere), Err(Fault::Elsewhere(_))), "{elsewhere}");
        assert!(matches!(real.alipay_download(elsewhere), Err(Fault::Elsewhere(_))), "{elsewhere}");
    }
    assert!(local.alipay_download("http://127.0.0.1:10/x").is_err());
}

#[test]
fn only_the_open_internet_is_outside() {
    for outside in ["1.1.1.1", "101.226.103.1", "2400:3200::1", "64:ff9b::101:101"] {
        assert!(is_outside(outside.parse().unwrap()), "{outside}");
    }
    for inside in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2001:db8::1",
        "2002:a00:1::",
        "2001::1",
    ] {
        assert!(!is_outside(inside.parse().unwrap()), "{inside}");
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_leads_nowhere() {
    let resolved = OutsideOnly.resolve("localhost".parse().unwrap()).await;
    assert!(resolved.is_err_and(|error| error.to_string().contains("no address")));
}
