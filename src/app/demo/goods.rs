/// One article of a store's price list.
#[derive(Debug)]
pub struct Good {
    pub sku: &'static str,
    pub name: &'static str,
    pub category: &'static str,
    /// Minor units of the store's currency.
    pub price: i64,
    /// How often it is bought, against the others.
    pub weight: u64,
    /// Most pieces in one basket line.
    pub pieces: i64,
    /// Not on the shelf: pre-sales and what is only shown in the mini program.
    pub online_only: bool,
}

const fn good(
    sku: &'static str,
    category: &'static str,
    name: &'static str,
    price: i64,
    weight: u64,
    pieces: i64,
) -> Good {
    Good { sku, name, category, price, weight, pieces, online_only: false }
}

const fn online(
    sku: &'static str,
    category: &'static str,
    name: &'static str,
    price: i64,
    weight: u64,
) -> Good {
    Good { sku, name, category, price, weight, pieces: 1, online_only: true }
}

/// A general store: daily goods, snacks, cosmetics, digital, home, gifts, flash sales, pre-sales.
pub const SHANGHAI: &[Good] = &[
    good("SH-1001", "日用百货", "竹浆抽纸 6 包", 1_990, 90, 3),
    good("SH-1002", "日用百货", "浓缩洗衣液 2 kg", 3_980, 55, 2),
    good("SH-1003", "日用百货", "垃圾袋 5 卷", 1_290, 70, 3),
    good("SH-1004", "日用百货", "纯棉毛巾", 1_590, 48, 4),
    good("SH-1005", "日用百货", "雨伞", 4_900, 18, 1),
    good("SH-1101", "食品零食", "每日坚果 7 日装", 3_990, 64, 2),
    good("SH-1102", "食品零食", "桂花酒酿饼", 1_800, 72, 4),
    good("SH-1103", "食品零食", "冷萃咖啡液 6 颗", 4_500, 46, 2),
    good("SH-1104", "食品零食", "五香豆礼袋", 2_500, 35, 3),
    good("SH-1105", "食品零食", "鲜牛乳 950 ml", 1_680, 80, 2),
    good("SH-1201", "个护美妆", "氨基酸洁面乳", 6_900, 34, 2),
    good("SH-1202", "个护美妆", "护手霜三支装", 5_900, 30, 2),
    good("SH-1203", "个护美妆", "防晒喷雾", 8_800, 22, 1),
    good("SH-1204", "个护美妆", "电动牙刷", 19_900, 12, 1),
    good("SH-1301", "数码配件", "65 W 快充头", 12_900, 20, 1),
    good("SH-1302", "数码配件", "编织数据线 2 m", 3_900, 42, 2),
    good("SH-1303", "数码配件", "蓝牙耳机", 29_900, 14, 1),
    good("SH-1304", "数码配件", "磁吸充电宝", 16_900, 16, 1),
    good("SH-1401", "家居生活", "香薰蜡烛", 7_900, 24, 2),
    good("SH-1402", "家居生活", "陶瓷马克杯", 4_900, 32, 2),
    good("SH-1403", "家居生活", "亚麻四件套", 45_900, 6, 1),
    good("SH-1501", "文创礼品", "石库门冰箱贴", 2_900, 40, 4),
    good("SH-1502", "文创礼品", "梧桐手账本", 5_800, 26, 2),
    good("SH-1601", "秒杀", "整点秒杀 抽纸", 990, 38, 2),
    good("SH-1602", "秒杀", "整点秒杀 耳机", 9_900, 12, 1),
    online("SH-1603", "秒杀", "直播间秒杀礼盒", 5_900, 16),
    online("SH-1701", "预售", "新年礼盒 定金", 5_000, 18),
    online("SH-1702", "预售", "新款耳机 定金", 10_000, 9),
];

/// A restaurant that becomes a bar at night.
pub const CHENGDU: &[Good] = &[
    good("CD-2001", "正餐", "藤椒鸡拌面", 3_200, 70, 3),
    good("CD-2002", "正餐", "麻婆豆腐套餐", 3_800, 55, 3),
    good("CD-2003", "正餐", "钵钵鸡拼盘", 5_800, 44, 2),
    good("CD-2004", "正餐", "双人烤鱼", 16_800, 16, 1),
    good("CD-2101", "小吃", "红糖糍粑", 1_800, 60, 3),
    good("CD-2102", "小吃", "冷吃兔", 2_800, 48, 2),
    good("CD-2103", "小吃", "炸薯角", 2_200, 52, 3),
    good("CD-2104", "小吃", "卤味拼盘", 4_600, 30, 2),
    good("CD-2201", "精酿啤酒", "玉林拉格 500 ml", 3_500, 85, 6),
    good("CD-2202", "精酿啤酒", "花椒赛松 330 ml", 4_200, 46, 4),
    good("CD-2203", "精酿啤酒", "浑浊 IPA 330 ml", 4_800, 40, 4),
    good("CD-2204", "精酿啤酒", "品鉴六杯装", 12_800, 12, 1),
    good("CD-2301", "鸡尾酒", "熊猫酸", 6_800, 34, 4),
    good("CD-2302", "鸡尾酒", "金汤力", 5_800, 36, 4),
    good("CD-2303", "鸡尾酒", "盖碗茶马天尼", 7_800, 20, 3),
    good("CD-2401", "软饮", "盖碗茶", 2_600, 42, 4),
    good("CD-2402", "软饮", "手打柠檬茶", 2_200, 50, 3),
    online("CD-2501", "预售", "跨年夜卡座 定金", 20_000, 6),
];

/// A shop abroad.
pub const LONDON: &[Good] = &[
    good("LD-3001", "Tea", "Longjing loose leaf 50 g", 1_450, 60, 2),
    good("LD-3002", "Tea", "Jasmine pearls 75 g", 1_200, 56, 2),
    good("LD-3003", "Tea", "Aged pu'er cake 200 g", 3_800, 16, 1),
    good("LD-3004", "Tea", "Tea to go", 380, 90, 3),
    good("LD-3101", "Homeware", "Gaiwan, celadon", 2_900, 26, 1),
    good("LD-3102", "Homeware", "Bamboo tray", 1_900, 24, 2),
    good("LD-3103", "Homeware", "Travel tea set", 4_500, 18, 1),
    good("LD-3201", "Gifts", "Ink and brush set", 2_400, 20, 1),
    good("LD-3202", "Gifts", "Silk scarf", 5_500, 14, 2),
    good("LD-3203", "Gifts", "Postcards, set of 8", 650, 44, 3),
    good("LD-3301", "Digital", "E-ink bookmark", 3_900, 12, 1),
    good("LD-3302", "Digital", "Smart kettle", 8_900, 8, 1),
    good("LD-3401", "Flash sale", "Tea of the hour", 790, 34, 2),
    good("LD-3402", "Flash sale", "Cup of the week", 950, 22, 2),
    online("LD-3501", "Pre-sale", "Spring harvest 2027, deposit", 1_500, 14),
    online("LD-3502", "Pre-sale", "New Year box, deposit", 2_000, 12),
];
